"""python -m api.serving.child: one web process, answering on an inherited socket until SIGTERM."""

import asyncio
import faulthandler
import gc
import os
import socket
import sys
from contextlib import suppress

import uvloop
from aiohttp import web

from api.app import make_app
from api.headers import FIXED_HEADERS
from api.health.handlers import HEALTH
from api.parts import open_parts
from api.proxies import warn_of_proxy
from api.serving.connection import Connection
from ops.logging import get_logger
from ops.settings import Settings
from ops.start import run_process, stop_on_signals
from storage.targets import announced

_FINISH_SECONDS = 6.0
_STOP_SECONDS = 8.0
# A request that was on its way to an idle connection when we stopped may still arrive.
_LAST_WORD_SECONDS = 0.3
# Objects after which garbage is looked for, in place of Python's 700.
_GARBAGE = 20_000

_log = get_logger()


async def serve(settings: Settings, *, name: str, sock: socket.socket, ready: int) -> int:
    """Answer until told to stop, then finish what is in flight; `ready` is told when we answer."""
    async with open_parts(settings, name=name) as parts:
        await warn_of_proxy(parts.redis, settings.trusted_proxies)
        stop = stop_on_signals()  # not before: until then a signal may simply end us
        runner, server = await start(await make_app(parts), sock)
        try:
            async with announced(parts.redis, parts.metrics, settings, name=name):
                leave_alone_what_stays()
                _tell_ready(ready)
                _log.info("answering", address=settings.host, port=settings.port)
                await stop.wait()
                # Then our master would kill us; where it was killed itself, nobody else would.
                faulthandler.dump_traceback_later(settings.drain_seconds + _STOP_SECONDS, exit=True)
                await _drain(settings, runner, server)
        finally:
            await runner.cleanup()
    _log.info("stopped")
    return 0


async def start(app: web.Application, sock: socket.socket) -> tuple[web.AppRunner, asyncio.Server]:
    """Answer on a bound socket, each connection under our deadlines."""
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    loop = asyncio.get_running_loop()
    manager = runner.server
    headers = app[FIXED_HEADERS]

    def connect() -> Connection:
        return Connection(manager, loop=loop, headers=headers)

    server = await loop.create_server(connect, sock=sock)
    return runner, server


def leave_alone_what_stays() -> None:
    """Spare the garbage collector what was loaded, and what a request leaves: little, in no cycles.

    It would look through both again and again, a tenth of what answering costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _tell_ready(ready: int) -> None:
    # A master that was killed while we started reads no more; a signal tells us to follow it.
    with suppress(BrokenPipeError):
        os.write(ready, b"ready\n")


async def _drain(settings: Settings, runner: web.AppRunner, server: asyncio.Server) -> None:
    """Say that we are going, take no more, finish what came."""
    runner.app[HEALTH].draining = True
    if runner.server:
        runner.server.draining = True  # type: ignore[attr-defined]
    await asyncio.sleep(settings.drain_seconds)
    server.close()
    await _finish(runner)


async def _finish(runner: web.AppRunner) -> None:
    """Let requests in flight end; close connections once they are idle.

    aiohttp's own way stops reading at once, and with it the rest of a body that is on its way.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    while runner.server and runner.server.connections:
        passed = loop.time() - started
        if passed > _FINISH_SECONDS:
            return
        for connection in runner.server.connections:
            busy = isinstance(connection, Connection) and connection.busy
            if not busy and passed > _LAST_WORD_SECONDS:
                connection.force_close()
        await asyncio.sleep(0.05)


def main() -> int:
    """Run one web process; its arguments are the descriptors of the socket and of `ready`."""
    descriptor, ready = int(sys.argv[1]), int(sys.argv[2])
    sock = socket.socket(fileno=descriptor)

    def run(settings: Settings, name: str) -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings, name=name, sock=sock, ready=ready))

    return run_process("web", run)


if __name__ == "__main__":
    sys.exit(main())
