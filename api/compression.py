"""gzip from 1 KiB up, for whoever accepts it; never of answers that carry secrets.

The length of a compressed answer tells what is in it when somebody else chooses a part of it
(BREACH), and a proxy may compress too: such answers say `no-transform` (RFC 9111, 5.2.2.6), which
both respect. Whoever sends `X-No-Compression` gets the bytes as they are.
"""

import asyncio
import re
import zlib

from aiohttp import hdrs, web

SMALLEST = 1024
VARY = "Accept-Encoding, X-No-Compression"
# Compressing this much takes as long as answering ten requests.
_MOST_ON_LOOP = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
# A small dictionary costs 3 % in size; the default one costs five times the time on small answers.
_FAST, _LITTLE_MEMORY = 1, 6
# HTML is not among them: our pages hold the tokens of their forms.
_KINDS = ("application/json", "application/problem+json", "text/css", "text/javascript")
_WEIGHT = re.compile(r"(?:^|;)\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII)


async def compress(response: web.Response) -> None:
    """Compress what `negotiate` said is to be; large bodies in a thread."""
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101 - `negotiate` saw to it
    if len(body) > _MOST_ON_LOOP:
        response.body = await asyncio.to_thread(packed, body)
    else:
        response.body = packed(body)
    response.headers[hdrs.CONTENT_ENCODING] = "gzip"


def negotiate(request: web.Request, response: web.Response) -> bool:
    """Say whether an answer is to be compressed; write what that does to its ETag and Vary."""
    if not _can_be(response):
        return False
    if hdrs.VARY not in response.headers:
        response.headers[hdrs.VARY] = VARY
    if not accepts_gzip(request):
        return False
    etag = response.headers.get(hdrs.ETAG)
    if etag:  # other bytes, another tag (RFC 9110, section 8.8.3.3)
        response.headers[hdrs.ETAG] = f'{etag[:-1]}-gzip"'
    return True


def accepts_gzip(request: web.Request) -> bool:
    """Say whether a caller takes gzip: named or as `*`, not with q=0, and not opted out."""
    if hdrs.ACCEPT_ENCODING not in request.headers or "X-No-Compression" in request.headers:
        return False
    codings = preferences(request, hdrs.ACCEPT_ENCODING)
    return codings.get("gzip", codings.get("x-gzip", codings.get("*", 0))) > 0


def preferences(request: web.Request, header: str) -> dict[str, float]:
    """Return what an Accept header names, in its order, and how welcome it is.

    0 is not at all; 1, which is most, where no q says so or it is none (RFC 9110, section 12.4.2).
    """
    found = {}
    for item in ",".join(request.headers.getall(header, ())).lower().split(","):
        name, _, parameters = item.partition(";")
        weight = _WEIGHT.search(parameters)
        found[name.strip()] = float(weight[1]) if weight else 1.0
    return found


def packed(body: bytes, *, level: int = _FAST) -> bytes:
    """Return a gzip file of a body: the same bytes for the same body."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP, _LITTLE_MEMORY)
    return compressor.compress(body) + compressor.flush()


def _can_be(response: web.Response) -> bool:
    body = response.body
    if not isinstance(body, bytes) or len(body) < SMALLEST:
        return False
    headers = response.headers
    return (
        hdrs.CONTENT_ENCODING not in headers
        and "no-transform" not in headers.get(hdrs.CACHE_CONTROL, "")
        and not response.cookies
        and headers.get(hdrs.CONTENT_TYPE, "").startswith(_KINDS)
    )
