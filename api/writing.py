"""Turns what a handler returns into an answer: written, fields chosen, tagged, numbered."""

from collections.abc import Sequence
from typing import Any

from aiohttp import hdrs, web

from api.compression import negotiate
from api.context import CALL
from api.envelope import NOTHING_MORE, Answer, success
from api.paging import Asked, Queries, check_chosen, place_of
from api.preconditions import check_expected, etag_of, is_known, not_modified
from api.routing import Endpoint
from storage.pages import Page


def write(
    request: web.Request, endpoint: Endpoint, result: Any, asked: Asked, *, queries: Queries
) -> web.StreamResponse:
    """Return the answer that a handler's result becomes; 304 for what the caller has."""
    if isinstance(result, web.StreamResponse):
        return result
    answer, record = NOTHING_MORE, result
    if isinstance(result, Answer):
        answer, record = result, result.data
    found, pagination = record, None
    if asked.window and isinstance(record, Page):
        place = place_of(endpoint.path, request.match_info)
        found, pagination = record.items, queries.pagination(place, asked.window, record)
    data = _written(endpoint, answer, found, asked.fields)
    response = success(
        request[CALL],
        data,
        status=endpoint.status,
        answer=answer,
        pagination=pagination,
        mirrored=endpoint.mirrored,
    )
    if endpoint.versioned and data is not None:
        return _tagged(request, response, etag_of(record.version, data))
    return response


def _written(endpoint: Endpoint, answer: Answer, data: Any, fields: Sequence[str] | None) -> Any:
    if data is None:
        return None
    schema = answer.shown_as or endpoint.gives
    if schema:
        data = schema.dump(data)
    if answer.withheld:
        data = {name: value for name, value in data.items() if name not in answer.withheld}
    if fields is None:
        return data
    if answer.shown_as:  # who sees less cannot choose what others see
        check_chosen(fields, answer.shown_as.names)
    if isinstance(data, list):
        return [_chosen(item, fields) for item in data]
    return _chosen(data, fields)


def _chosen(item: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {name: item[name] for name in fields if name in item}


def _tagged(request: web.Request, response: web.Response, etag: str) -> web.Response:
    response.headers[hdrs.ETAG] = etag
    if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
        return response
    check_expected(request, etag)
    if not is_known(request, etag):
        return response
    negotiate(request, response)
    return not_modified(response)
