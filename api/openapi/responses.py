"""Answers of an operation: what it gives, and every problem it may have."""

from dataclasses import replace
from typing import Any

from api.access import Access, EmailNotVerified, Needs, OpsToken, Public, SignedIn, StepUpRequired
from api.envelope import JSON, PROBLEM_JSON, STATUSES, problem_details
from api.idempotency import ResultGone
from api.limits import TooMany
from api.openapi.shapes import META_EXAMPLE, PAGINATION_EXAMPLE
from api.preconditions import AlreadyThere, OtherVersion, PreconditionFailed, PreconditionRequired
from api.problems import (
    BadRequest,
    Forbidden,
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
from ops.errors import Problem, Unavailable
from storage.idempotency import ClaimLost, InFlight, KeyReused

# What the names of examples of RFC 9457 end in.
_RFC9457 = "Rfc9457"
_BARE = ("/.well-known/", "/ops/")


def responses(endpoint: Endpoint) -> dict[str, Any]:
    """Return every answer of an endpoint, by status."""
    found: dict[str, Any] = {str(int(endpoint.status)): _success(endpoint)}
    for also in endpoint.also_status:
        found[str(int(also))] = _success(replace(endpoint, gives=None, mirrored=()))
    if endpoint.versioned and endpoint.method == "GET":
        found["304"] = {"description": "You have it: If-None-Match names its ETag."}
    for status, problems in sorted(_problems(endpoint).items()):
        found[str(status)] = _failure(sorted(problems, key=lambda problem: problem.__name__))
    return found


def _failure(problems: list[type[Problem]]) -> dict[str, Any]:
    """Return the answer of one status in both shapes, with an example of every problem.

    Examples are named as in the components, where each is written once (`examples_of`).
    """
    names = [problem.__name__ for problem in problems]
    shapes = ((JSON, "Error", ""), (PROBLEM_JSON, "Problem", _RFC9457))
    return {
        "description": ", ".join(sorted({problem.code for problem in problems})),
        "content": {
            kind: {
                "schema": {"$ref": f"#/components/schemas/{schema}"},
                "examples": {name: f"{name}{ending}" for name in names},
            }
            for kind, schema, ending in shapes
        },
    }


def examples_of(problem: type[Problem]) -> dict[str, Any]:
    """Return a problem in both shapes, by the names that they have in the components."""
    told, name = _error_example(problem), problem.__name__
    request_id: str = META_EXAMPLE["requestId"]
    details = problem_details(told["error"], STATUSES[problem.kind], request_id)
    return {name: {"value": told}, f"{name}{_RFC9457}": {"value": details}}


def _success(endpoint: Endpoint) -> dict[str, Any]:
    description = "What was asked for."
    if endpoint.streams:
        content = {
            kind: {"schema": {"type": "string"}, "example": example}
            for kind, example in endpoint.streams.items()
        }
        return {"description": description, "content": content}
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
        properties["data"] = _data(endpoint)
        required.append("data")
        given: Any = endpoint.gives
        value["data"] = [given.example] if given.many else given.example
        if endpoint.lists:
            properties["pagination"] = {"$ref": "#/components/schemas/Pagination"}
            required.append("pagination")
            value["pagination"] = PAGINATION_EXAMPLE
        for name in endpoint.mirrored:
            properties[name] = {"description": f"The same as data.{name}."}
            value[name] = given.example[name]
    headers = {"ETag": _ETAG} if endpoint.versioned and endpoint.gives else {}
    schema = {"type": "object", "required": required, "properties": properties}
    value["meta"] = META_EXAMPLE
    found: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": value}},
    }
    return found | ({"headers": headers} if headers else {})


def _data(endpoint: Endpoint) -> Any:
    """Return the schema of what is given: whole, or where `fields` is honoured, parts of it."""
    schema: Any = endpoint.gives
    if not endpoint.fields:
        return schema
    item = {"anyOf": [type(schema)(), type(schema)(partial=True)]}
    return {"type": "array", "items": item} if schema.many else item


_ETAG = {
    "description": "The version of this record: send it back as If-None-Match or If-Match.",
    "schema": {"type": "string"},
}


def _problems(endpoint: Endpoint) -> dict[int, set[type[Problem]]]:
    problems: set[type[Problem]] = {*endpoint.problems, BadRequest, Internal, Unavailable}
    if endpoint.path.startswith("/api/"):
        problems.add(NotAcceptable)
    if endpoint.takes:
        problems |= {Invalid, PayloadTooLarge, TooSlow, UnsupportedMediaType}
    if endpoint.refuses_body:
        problems |= {PayloadTooLarge, TooSlow, UnsupportedMediaType}
    if endpoint.idempotent:
        problems |= {ClaimLost, InFlight, KeyReused, ResultGone}
    if endpoint.limited:
        problems.add(TooMany)
    if endpoint.versioned and endpoint.method == "GET":
        problems.add(OtherVersion)
    elif endpoint.versioned and endpoint.method != "POST":
        problems |= {AlreadyThere, PreconditionFailed, PreconditionRequired}
    if endpoint.fields or endpoint.lists:
        problems.add(Invalid)
    problems |= _of_access(endpoint.access)
    found: dict[int, set[type[Problem]]] = {}
    for problem in problems:
        found.setdefault(int(STATUSES[problem.kind]), set()).add(problem)
    return found


def _of_access(access: Access) -> set[type[Problem]]:
    if isinstance(access, Public):
        return set()
    if isinstance(access, OpsToken):
        return {Unauthorized}
    problems: set[type[Problem]] = {Unauthorized, InvalidToken}
    if isinstance(access, Needs):
        problems.add(Forbidden)
    if isinstance(access, SignedIn | Needs):
        problems |= {StepUpRequired} if access.recent else set()
        problems |= {EmailNotVerified} if access.verified else set()
    return problems


def _error_example(problem: type[Problem]) -> dict[str, Any]:
    details = [{"field": "email", "message": "Not a valid e-mail address."}]
    return {
        "success": False,
        "error": {
            "code": problem.code,
            "message": " ".join((problem.__doc__ or "").split()),
            "details": details if problem is Invalid else [],
        },
        "meta": META_EXAMPLE,
    }
