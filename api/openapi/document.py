"""The only module that knows the OpenAPI library: endpoints' declarations become one document.

aiohttp-apispec writes Swagger 2.0 and takes its metadata off the handlers; this subclass keeps its
reading of schemas and writes OpenAPI 3.1 from copies (docs/decisions/004-openapi.md).
"""

from collections.abc import Iterable
from typing import Any

from aiohttp_apispec import AiohttpApiSpec, docs, request_schema, response_schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.access import OpsToken, Public
from api.deprecations import DEPRECATIONS, Deprecation, Deprecations
from api.openapi.parameters import parameters
from api.openapi.responses import examples_of, responses
from api.openapi.shapes import ERROR, META, PAGINATION, PROBLEM
from api.routing import Endpoint
from api.schemas import Outbound, Time
from ops.errors import Problem
from ops.version import VERSION

_ABOUT = """\
Self-hosted user management and authentication.

Every answer has one shape: `success`, `data`, `meta`, or `success`, `error`, `meta`; ask for
`application/problem+json` to get errors as RFC 9457. `Idempotency-Key` makes a POST safe to repeat.
"""


def document(
    endpoints: Iterable[Endpoint], deprecations: Deprecations = DEPRECATIONS
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the documented endpoints."""
    spec = _Spec(deprecations)
    for endpoint in endpoints:
        if endpoint.documented:
            spec.add(endpoint)
    found: dict[str, Any] = spec.swagger_dict()
    return found


class _Spec(AiohttpApiSpec):  # type: ignore[misc]  # the library is untyped
    """aiohttp-apispec, taught OpenAPI 3.1."""

    def __init__(self, deprecations: Deprecations) -> None:
        super().__init__(url=None, title="Ostiary", version=VERSION)
        self._deprecations = deprecations
        self.plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
        self.spec = APISpec(
            title="Ostiary",
            version=VERSION,
            openapi_version="3.1.0",
            plugins=[self.plugin],
            info={
                "description": _ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            servers=[{"url": "/"}],
        )
        self.plugin.map_to_openapi_type(Time, "string", "date-time")
        converter: Any = self.plugin.converter
        converter.add_attribute_function(_without_default)
        self.spec.components.schema("Meta", META)
        self.spec.components.schema("Error", ERROR)
        self.spec.components.schema("Problem", PROBLEM)
        self.spec.components.schema("Pagination", PAGINATION)
        for problem in Problem.declared:
            for name, example in examples_of(problem).items():
                self.spec.components.example(name, example, lazy=True)
        bearer = {"type": "http", "scheme": "bearer"}
        self.spec.components.security_scheme("accessToken", bearer | {"bearerFormat": "JWT"})
        self.spec.components.security_scheme("opsToken", bearer)

    def add(self, endpoint: Endpoint) -> None:
        """Describe one endpoint with the library's own decorators, then write it down."""

        async def view() -> None:
            """Stand for the endpoint, whose own function must stay clean."""

        docs(tags=[endpoint.tag], summary=endpoint.summary, description=endpoint.description)(view)
        if endpoint.takes:
            request_schema(endpoint.takes)(view)
        if endpoint.gives:
            response_schema(endpoint.gives, int(endpoint.status))(view)
        self._write(endpoint, view.__apispec__)  # type: ignore[attr-defined]

    def _write(self, endpoint: Endpoint, found: dict[str, Any]) -> None:
        operation: dict[str, Any] = {
            "tags": found["tags"],
            "summary": found["summary"],
            "operationId": endpoint.handler.__name__,
            "responses": responses(endpoint),
        }
        if found["description"]:
            operation["description"] = found["description"]
        if row := self._deprecations.get(f"{endpoint.method} {endpoint.path}"):
            operation |= {"deprecated": True, "description": _told(row, found["description"])}
        for item in found["schemas"]:
            content = {"schema": item["schema"], "example": item["schema"].example}
            kinds = ["application/json"]
            if endpoint.method == "PATCH":
                kinds.append("application/merge-patch+json")
            operation["requestBody"] = {
                "required": not endpoint.body_optional,
                "content": dict.fromkeys(kinds, content),
            }
        if not isinstance(endpoint.access, Public):
            scheme = "opsToken" if isinstance(endpoint.access, OpsToken) else "accessToken"
            operation["security"] = [{scheme: []}]
        if found_parameters := parameters(endpoint):
            operation["parameters"] = found_parameters
        self.spec.path(path=endpoint.path, operations={endpoint.method.lower(): operation})


def _told(row: Deprecation, description: str) -> str:
    end = f"Deprecated since {row.since:%Y-%m-%d}; answers until {row.sunset:%Y-%m-%d}."
    successor = f" Call `{row.successor}` in its place." if row.successor else ""
    return f"{end}{successor}\n\n{description}".rstrip()


def _name_of(schema: type[Schema] | Schema | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    of_part = "Part" if isinstance(schema, Outbound) else "Patch"
    is_part = getattr(schema, "partial", None) is True
    return name.removesuffix("Schema") + (of_part if is_part else "")


def _without_default(_: Any, field: Any, *, ret: dict[str, Any], **__: Any) -> dict[str, Any]:
    """Drop the default of a field in a merge patch, where what is left out stays, and nothing's."""
    if getattr(field.parent, "partial", None) is True or ret.get("default", "") is None:
        ret.pop("default", None)
    return {}
