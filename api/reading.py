"""Reads bodies strictly: sizes, time, encodings, and JSON that means one thing only."""

import asyncio
import json
import re
from typing import Any

import orjson
from aiohttp import hdrs, web

from api.problems import BadRequest, PayloadTooLarge, TooSlow, UnsupportedMediaType

SMALL = 64 * 1024
LARGE = 1024 * 1024

_BODIES = frozenset({"application/json"})
# What a PATCH may be sent as: JSON Merge Patch (RFC 7396).
PATCHES = "application/merge-patch+json, application/json"

_BODY_SECONDS = 30.0
_MAX_DEPTH = 32
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_WRAPPER = frozenset({"data", "meta"})


async def read_json(request: web.Request, limit: int) -> Any:
    """Return the JSON value of the body.

    Raises UnsupportedMediaType, PayloadTooLarge, TooSlow, or BadRequest for what is not JSON, is
    too deep, names a key twice, or holds NUL, NaN or a lone surrogate.
    """
    if request.method == hdrs.METH_PATCH:
        if request.content_type not in PATCHES.split(", "):
            raise UnsupportedMediaType(f"Send the patch as one of {PATCHES}, in UTF-8.")
    elif request.content_type not in _BODIES:
        raise UnsupportedMediaType
    _check_charset(request)
    return _unwrapped(parse_json(await read_body(request, limit)))


async def check_empty(request: web.Request, limit: int) -> None:
    """Raise BadRequest for a body that says something, where none is taken; else as read_body."""
    body = await read_body(request, limit)
    if body.strip() and _unwrapped(parse_json(body)):
        raise BadRequest("Nothing is taken here: leave the body out.")


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of an HTML form; raise as read_json, or BadRequest for a doubled field."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the form as application/x-www-form-urlencoded.")
    _check_charset(request)
    await read_body(request, SMALL)
    try:
        fields = await request.post()
    except (ValueError, LookupError) as error:
        raise BadRequest("The form could not be read.") from error
    if len(set(fields)) != len(fields):
        raise BadRequest("The form names a field twice.")
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    if any("\x00" in text for text in texts.values()):
        raise BadRequest("The form holds a NUL character.")
    return texts


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the whole body, or raise before more than `limit` bytes are kept."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise UnsupportedMediaType
    if (request.content_length or 0) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
    chunks = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.content.iter_any():
                chunks += chunk
                if len(chunks) > limit:
                    raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
    except TimeoutError as error:
        raise TooSlow from error
    except (web.RequestPayloadError, ConnectionError) as error:  # the latter: the client hung up
        raise BadRequest("The body ended too early or is framed wrongly.") from error
    body = bytes(chunks)
    request._read_bytes = body  # noqa: SLF001 - what `request.read()` keeps, for `request.post()`
    return body


def _unwrapped(value: Any) -> Any:
    """Return what the documents' envelope of requests (003, section 6.4) holds."""
    if isinstance(value, dict) and value.keys() == _WRAPPER and isinstance(value["data"], dict):
        return value["data"]
    return value


def _check_charset(request: web.Request) -> None:
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType


def parse_json(raw: bytes) -> Any:
    """Return the value of a strict JSON text; raise BadRequest."""
    _check_depth(raw)
    try:
        orjson.loads(raw)  # refuses NaN, infinities, bad UTF-8 and lone surrogates
        value = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error
    if _has_nul(value):
        raise BadRequest("The body holds a NUL character.")
    return value


def _check_depth(raw: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise BadRequest(f"The body is nested deeper than {_MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise BadRequest("The body names a key twice.")
    return keys


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)
