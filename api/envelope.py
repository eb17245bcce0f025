"""The one shape of every answer; kinds of problem to HTTP statuses.

{"success": true, "data", "message"?, "pagination"?, "meta"} and
{"success": false, "error": {"code", "message", "details"}, "retryAfter"?, "meta"};
the same facts as RFC 9457 when the caller prefers application/problem+json.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import hdrs, web

from api.context import Call
from api.schemas import Outbound
from ops.errors import Kind, Problem
from ops.moments import now_in_milliseconds
from ops.version import VERSION

STATUSES: dict[Kind, HTTPStatus] = {
    Kind.MALFORMED: HTTPStatus.BAD_REQUEST,
    Kind.INVALID: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Kind.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
    Kind.TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    Kind.PRECONDITION_REQUIRED: HTTPStatus.PRECONDITION_REQUIRED,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.UNPROCESSABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie of ours: HttpOnly, SameSite=Strict, Path=/ (RFC 6265bis); age 0 removes it."""

    name: str
    value: str = field(repr=False)
    max_age: int
    secure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler says beyond its data.

    `cookies` are set, and fields of the data that travel in them are `withheld` from the body.
    `shown_as` writes the data in place of what the endpoint gives, to who may see more or less.
    """

    data: Any = None
    message: str | None = None
    status: HTTPStatus | None = None
    cookies: tuple[Cookie, ...] = ()
    withheld: tuple[str, ...] = ()
    shown_as: Outbound | None = None
    # Where what was created is found (RFC 9110, section 10.2.2).
    location: str | None = None


# What a handler says that returns its data alone.
NOTHING_MORE = Answer()


def success(  # noqa: PLR0913 - the parts of one answer
    call: Call,
    data: Any,
    *,
    status: HTTPStatus,
    answer: Answer = NOTHING_MORE,
    pagination: Mapping[str, Any] | None = None,
    mirrored: Sequence[str] = (),
) -> web.Response:
    """Return the answer to a request that did what it was for.

    `data` are written already; what is `mirrored` of them stands at the top level too.
    """
    body: dict[str, Any] = {"success": True}
    if data is not None:
        body["data"] = data
    if answer.message:
        body["message"] = answer.message
    if pagination:
        body["pagination"] = pagination
    for name in mirrored:
        if data and name in data:
            body[name] = data[name]
    body["meta"] = _meta(call)
    response = _json(body, answer.status or status)
    if answer.location:
        response.headers["Location"] = answer.location
    for cookie in answer.cookies:
        set_cookie(response, cookie)
    return response


def set_cookie(response: web.Response, cookie: Cookie) -> None:
    """Give the caller a cookie of ours."""
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=cookie.max_age,
        secure=cookie.secure,
        httponly=True,
        samesite="Strict",
        path="/",
    )


def failure(call: Call, problem: Problem, *, rfc9457: bool = False) -> web.Response:
    """Return the answer that tells a caller what is wrong and what to do."""
    status = STATUSES[problem.kind]
    details = [{"field": item.field, "message": item.message} for item in problem.details]
    error = {"code": problem.code, "message": problem.message, "details": details}
    wait = {} if problem.retry_after is None else {"retryAfter": problem.retry_after}
    if rfc9457:
        body = problem_details(error, status, call.request_id) | wait
        response = _json(body, status, PROBLEM_JSON)
    else:
        body = {"success": False, "error": error} | wait | {"meta": _meta(call)}
        response = _json(body, status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.kind is Kind.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="ostiary"'
    return response


def problem_details(
    error: Mapping[str, Any], status: HTTPStatus, request_id: str
) -> dict[str, Any]:
    """Return the facts of an `error` of ours as RFC 9457 has them."""
    return {
        "type": f"/api/docs/errors#{error['code']}",
        "title": error["code"],
        "status": int(status),
        "detail": error["message"],
        "code": error["code"],
        "errors": error["details"],
        "requestId": request_id,
    }


def _meta(call: Call) -> dict[str, Any]:
    return {
        "requestId": call.request_id,
        "timestamp": now_in_milliseconds(),
        "version": VERSION,
    }


def _json(body: dict[str, Any], status: HTTPStatus, content_type: str = JSON) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=orjson.dumps(body, option=_OPTIONS), status=status, headers=headers)
