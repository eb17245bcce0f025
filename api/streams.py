"""Answers that are too long to be made first and sent then: made while they are sent.

They get what every answer has from the signal of `api/middleware.py`. One that cannot be finished
is broken off, so that nobody takes a part for the whole: its chunked encoding has no end.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import hdrs, web

from api.compression import VARY, accepts_gzip
from api.context import CALL
from api.health.handlers import HEALTH
from ops.logging import get_logger

# A client that takes nothing for so long is gone, whatever its connection says.
_STALLED_SECONDS = 30.0
# A process that stops waits 6 seconds for its last answers (api/serving/child.py).
_LAST_SECONDS = 3.0
_LOOK_SECONDS = 0.25

_log = get_logger()


async def stream(
    request: web.Request, response: web.StreamResponse, parts: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Send an answer part by part, as fast as the caller takes it; gzip where it is accepted.

    What fails before the first part is told like any other problem.
    """
    async with aclosing(parts):
        if request.method == hdrs.METH_HEAD:
            return response
        first = await anext(parts)
        response.headers[hdrs.VARY] = VARY
        if accepts_gzip(request):
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        guard = asyncio.create_task(_break_off_when_stopping(request))
        try:
            await _write(response, first)
            async for part in parts:
                await _write(response, part)
            await response.write_eof()
        except (ConnectionError, TimeoutError) as error:
            _break_off(request)
            _log.info("answer broken off", route=request[CALL].route, reason=type(error).__name__)
        except Exception:  # noqa: BLE001 - the status is sent, so the connection has to tell
            _break_off(request)
            _log.exception("answer broken off", route=request[CALL].route)
        finally:
            guard.cancel()
    return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    if part:
        async with asyncio.timeout(_STALLED_SECONDS):
            await response.write(part)
    # A caller who takes everything at once must not keep others waiting.
    await asyncio.sleep(0)


async def _break_off_when_stopping(request: web.Request) -> None:
    while not request.app[HEALTH].draining:  # noqa: ASYNC110 - a flag that load balancers ask for
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.sleep(_LAST_SECONDS)
    _break_off(request)


def _break_off(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()
