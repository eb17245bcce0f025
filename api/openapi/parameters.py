"""Parameters of an operation: in its path, its headers, its query."""

import re
from typing import Any

from api.paging import LAST_PAGE, Lists
from api.routing import Endpoint

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")

_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key and body give the same result for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
_IF_MATCH = "The ETag of what you read: changed meanwhile, it is answered with 412."
_IF_STILL = "The ETag of what you have: if it is another one now, it is answered with 412."
_IF_NOT_THERE = "An ETag, or `*`: if that is there, nothing changes: it is answered with 412."
_IF_NONE_MATCH = "The ETag of what you have: unchanged, it is answered with 304 and nothing else."


def parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return every parameter of an endpoint."""
    found: list[dict[str, Any]] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(endpoint.path)
    ]
    found += [_header(name, text) for name, text in endpoint.headers.items()]
    found += [_query(name, dict(schema)) for name, schema in endpoint.queries.items()]
    if endpoint.idempotent:
        found.append(_IDEMPOTENCY_KEY)
    if endpoint.versioned and endpoint.method == "GET":
        found.append(_header("If-None-Match", _IF_NONE_MATCH))
        found.append(_header("If-Match", _IF_STILL))
    elif endpoint.versioned and endpoint.method != "POST":
        found.append(_header("If-Match", _IF_MATCH))
        found.append(_header("If-None-Match", _IF_NOT_THERE))
    if endpoint.fields:
        names = f"^({'|'.join(endpoint.fields)})(,({'|'.join(endpoint.fields)}))*$"
        found.append(_query("fields", {"type": "string", "pattern": names}, "Only these fields."))
    return found + (_of_list(endpoint.lists) if endpoint.lists else [])


def _of_list(lists: Lists) -> list[dict[str, Any]]:
    if lists.formats:
        schema = {"type": "string", "enum": list(lists.formats), "default": lists.formats[0]}
        return [_query("format", schema), *_of_times(), *_of_filters(lists)]
    found = [
        _query("page", {"type": "integer", "minimum": 1, "maximum": LAST_PAGE, "default": 1}),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        _query(
            "cursor",
            {"type": "string"},
            "In place of page: nextCursor of the answer before, or empty to begin. Any depth costs"
            " the same.",
        ),
        _query("sort", {"type": "string", "enum": list(lists.sorts), "default": lists.sorts[0]}),
        _query("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        *_of_times(),
    ]
    if lists.searched:
        text = "Up to five words: all must be found, short ones at the start of a word."
        found.append(_query("search", {"type": "string", "maxLength": 100}, text))
    return found + _of_filters(lists)


def _of_times() -> list[dict[str, Any]]:
    date = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
    return [
        _query("dateFrom", date, "Created at this time or later."),
        _query(
            "dateTo",
            date,
            "Created at this time or earlier; a day, second or millisecond counts as a whole.",
        ),
    ]


def _of_filters(lists: Lists) -> list[dict[str, Any]]:
    return [
        _query(f"filter[{name}]", dict(item.schema), item.description)
        for name, item in lists.filters.items()
    ]


def _query(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    found = {"in": "query", "name": name, "required": False, "schema": schema}
    return found | ({"description": description} if description else {})


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
