"""One connection with deadlines of our own, since aiohttp has none for headers.

The headers of a request must be whole 10 seconds after the connection or after their first byte; a
connection serves 1,000 requests, then closes, so that load spreads over the processes again.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from multidict import CIMultiDict

from api.context import Call
from api.envelope import failure
from api.headers import REQUEST_ID
from api.problems import BadRequest, Internal
from ops.errors import Problem
from ops.ids import new_request_id

HEADER_SECONDS = 10.0
IDLE_SECONDS = 75.0
MAX_REQUESTS = 1_000


class Connection(web.RequestHandler):
    """aiohttp's handler of one connection, with deadlines."""

    __slots__ = ("_deadline", "_headers")

    def __init__(
        self, manager: Any, *, loop: asyncio.AbstractEventLoop, headers: CIMultiDict[str]
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # None is what AppRunner passes too
            lingering_time=1.0,
            auto_decompress=False,
        )
        self._deadline: asyncio.TimerHandle | None = None
        # What every answer has, also one that no middleware sees.
        self._headers = headers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock: a connection that says nothing is closed."""
        self._wait_for_headers()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a request is whole, start it at the first byte of the next one."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_waiting()
        elif data and self._current_request is None and self._deadline is None:
            self._wait_for_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Close the connection after its last request, or when the process is stopping.

        An answer that was broken off is not ended: what compressed it may have been, already.
        """
        if self.transport is None or self.transport.is_closing():
            return resp, True
        if self._request_count >= MAX_REQUESTS or self._manager is None or self._draining():
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - what was sent stays out of the answer
    ) -> web.StreamResponse:
        """Answer what is no HTTP in the shape of every answer, without repeating what was sent."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer broke off, another one cannot follow")
        self._stop_waiting()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log_exception("error outside of a request", exc_info=exc)
            problem: Problem = Internal()
        else:
            problem = BadRequest(_wrong(exc))
        call = Call(request_id=new_request_id(), address="", user_agent="")
        response = failure(call, problem)
        response.headers[REQUEST_ID] = call.request_id
        response.headers.merge(self._headers)
        response.force_close()
        return response

    @property
    def busy(self) -> bool:
        """Whether a request is being received, worked on or answered."""
        return bool(self._current_request or self._messages or self._request_in_progress)

    def _draining(self) -> bool:
        return bool(getattr(self._manager, "draining", False))

    def _wait_for_headers(self) -> None:
        self._deadline = self._loop.call_later(HEADER_SECONDS, self.force_close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _wrong(error: BaseException | None) -> str:
    if isinstance(error, LineTooLong):
        _, limit, _ = error.args
        return f"The address or a header of the request is longer than {limit} bytes."
    return "The request is not valid HTTP."
