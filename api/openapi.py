"""The only module that knows the OpenAPI library: endpoints' declarations become one document.

aiohttp-apispec writes Swagger 2.0 and takes its metadata off the handlers; this subclass keeps its
reading of schemas and writes OpenAPI 3.1 from copies (docs/decisions/004-openapi.md).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from aiohttp_apispec import AiohttpApiSpec, docs, request_schema, response_schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.access import EmailNotVerified, OpsToken, Public, SignedIn, StepUpRequired
from api.envelope import STATUSES
from api.limits import TooMany
from api.problems import (
    BadRequest,
    Internal,
    Invalid,
    InvalidToken,
    NotAcceptable,
    PayloadTooLarge,
    TooSlow,
    Unauthorized,
    UnsupportedMediaType,
)
from api.routing import Endpoint
from api.schemas import Time
from ops.errors import Problem, Unavailable
from ops.version import VERSION
from storage.idempotency import ClaimLost, InFlight, KeyReused

_ABOUT = """\
Self-hosted user management and authentication.

Every answer has one shape: `success`, `data`, `meta`, or `success`, `error`, `meta`; ask for
`application/problem+json` to get errors as RFC 9457. `Idempotency-Key` makes a POST safe to repeat.
"""

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")

_META = {
    "type": "object",
    "required": ["requestId", "timestamp", "version"],
    "properties": {
        "requestId": {"type": "string", "example": "req_0193f2b8c0de7abc8def0123456789ab"},
        "timestamp": {"type": "string", "format": "date-time"},
        "version": {"type": "string", "example": VERSION},
    },
}
_ERROR = {
    "type": "object",
    "required": ["success", "error", "meta"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "example": "VALIDATION_ERROR"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string"},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        },
        "retryAfter": {"type": "integer", "description": "Seconds."},
        "meta": {"$ref": "#/components/schemas/Meta"},
    },
}
_BARE = ("/.well-known/", "/ops/")


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the documented endpoints."""
    spec = _Spec()
    for endpoint in endpoints:
        if endpoint.documented:
            spec.add(endpoint)
    found: dict[str, Any] = spec.swagger_dict()
    return found


class _Spec(AiohttpApiSpec):  # type: ignore[misc]  # the library is untyped
    """aiohttp-apispec, taught OpenAPI 3.1."""

    def __init__(self) -> None:
        super().__init__(url=None, title="Ostiary", version=VERSION)
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
        self.spec.components.schema("Meta", _META)
        self.spec.components.schema("Error", _ERROR)
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
            "responses": _responses(endpoint),
        }
        if found["description"]:
            operation["description"] = found["description"]
        for item in found["schemas"]:
            content = {"schema": item["schema"], "example": item["schema"].example}
            operation["requestBody"] = {
                "required": not endpoint.body_optional,
                "content": {"application/json": content},
            }
        if not isinstance(endpoint.access, Public):
            scheme = "opsToken" if isinstance(endpoint.access, OpsToken) else "accessToken"
            operation["security"] = [{scheme: []}]
        if parameters := _parameters(endpoint):
            operation["parameters"] = parameters
        self.spec.path(path=endpoint.path, operations={endpoint.method.lower(): operation})


_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key and body give the same result for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(endpoint.path)
    ]
    found += [
        {
            "in": "header",
            "name": name,
            "required": False,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in endpoint.headers.items()
    ]
    return [*found, _IDEMPOTENCY_KEY] if endpoint.idempotent else found


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {str(int(endpoint.status)): _success(endpoint)}
    for also in endpoint.also_status:
        responses[str(int(also))] = _success(replace(endpoint, gives=None, mirrored=()))
    for status, problems in sorted(_problems(endpoint).items()):
        examples = {
            problem.__name__: {"value": _error_example(problem)}
            for problem in sorted(problems, key=lambda problem: problem.__name__)
        }
        responses[str(status)] = {
            "description": ", ".join(sorted({problem.code for problem in problems})),
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": examples,
                }
            },
        }
    return responses


def _success(endpoint: Endpoint) -> dict[str, Any]:
    description = "What was asked for."
    if endpoint.path.startswith(_BARE) and endpoint.gives:
        bare: Any = endpoint.gives
        example: Any = [bare.example] if bare.many else bare.example
        return {
            "description": description,
            "content": {"application/json": {"schema": bare, "example": example}},
        }
    properties: dict[str, Any] = {
        "success": {"type": "boolean", "const": True},
        "message": {"type": "string"},
        "meta": {"$ref": "#/components/schemas/Meta"},
    }
    required = ["success", "meta"]
    value: dict[str, Any] = {"success": True}
    if endpoint.gives:
        properties["data"] = endpoint.gives
        required.append("data")
        given: Any = endpoint.gives
        value["data"] = [given.example] if given.many else given.example
        for name in endpoint.mirrored:
            properties[name] = {"description": f"The same as data.{name}."}
            value[name] = given.example[name]
    schema = {"type": "object", "required": required, "properties": properties}
    value["meta"] = _META_EXAMPLE
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": value}},
    }


_META_EXAMPLE = {
    "requestId": "req_0193f2b8c0de7abc8def0123456789ab",
    "timestamp": "2026-11-21T10:30:00.000Z",
    "version": VERSION,
}


def _problems(endpoint: Endpoint) -> dict[int, set[type[Problem]]]:
    problems: set[type[Problem]] = {*endpoint.problems, BadRequest, Internal, Unavailable}
    if endpoint.path.startswith("/api/"):
        problems.add(NotAcceptable)
    if endpoint.takes:
        problems |= {Invalid, PayloadTooLarge, TooSlow, UnsupportedMediaType}
    if endpoint.idempotent:
        problems |= {ClaimLost, InFlight, KeyReused}
    if endpoint.limited:
        problems.add(TooMany)
    if not isinstance(endpoint.access, Public):
        problems.add(Unauthorized)
        if not isinstance(endpoint.access, OpsToken):
            problems.add(InvalidToken)
    if isinstance(endpoint.access, SignedIn):
        problems |= {StepUpRequired} if endpoint.access.recent else set()
        problems |= {EmailNotVerified} if endpoint.access.verified else set()
    found: dict[int, set[type[Problem]]] = {}
    for problem in problems:
        found.setdefault(int(STATUSES[problem.kind]), set()).add(problem)
    return found


def _error_example(problem: type[Problem]) -> dict[str, Any]:
    details = [{"field": "email", "message": "Not a valid e-mail address."}]
    return {
        "success": False,
        "error": {
            "code": problem.code,
            "message": " ".join((problem.__doc__ or "").split()),
            "details": details if problem is Invalid else [],
        },
        "meta": _META_EXAMPLE,
    }


def _name_of(schema: type[Schema] | Schema | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")
