"""Turns what a handler returns into an answer: written, fields chosen, tagged, numbered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import hdrs, web

from api.compression import negotiate
from api.context import CALL
from api.envelope import Answer, success
from api.paging import Asked, Queries, place_of
from api.preconditions import check_expected, etag_of, is_known, not_modified
from api.routing import Endpoint
from storage.pages import Page


def write(
    request: web.Request, endpoint: Endpoint, result: Any, asked: Asked, *, queries: Queries
) -> web.StreamResponse:
    """Return the answer that a handler's result becomes; 304 for what the caller has."""
    if isinstance(result, web.StreamResponse):
        return result
    answer = result if isinstance(result, Answer) else Answer(data=result)
    record = answer.data
    if isinstance(record, Page) and asked.window:
        place = place_of(endpoint.path, request.match_info)
        block = queries.pagination(place, asked.window, record)
        answer = replace(answer, data=record.items, pagination=block)
    answer = replace(answer, data=_written(endpoint, answer, asked))
    mirrored = {
        name: answer.data[name] for name in endpoint.mirrored if answer.data and name in answer.data
    }
    response = success(request[CALL], replace(answer, mirrored=mirrored), endpoint.status)
    if endpoint.versioned and answer.data is not None:
        return _tagged(request, response, etag_of(record.version, answer.data))
    return response


def _written(endpoint: Endpoint, answer: Answer, asked: Asked) -> Any:
    data = answer.data
    if data is None:
        return None
    schema = answer.shown_as or endpoint.gives
    if schema:
        data = schema.dump(data)
    if answer.withheld:
        data = {name: value for name, value in data.items() if name not in answer.withheld}
    if asked.fields is None:
        return data
    if isinstance(data, list):
        return [_chosen(item, asked.fields) for item in data]
    return _chosen(data, asked.fields)


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
