"""What aiohttp can do at most: one process that answers every request with the same few bytes."""

import asyncio
import os
import sys
from importlib.metadata import version

import uvloop
from aiohttp import web

from tests.bench.asked import Load, Request
from tests.bench.contenders.served import Served
from tests.ops.stacks import ROOT

_TEXT = '{"success":true}'


class Static(Served):
    """aiohttp without anything of ours, on uvloop and without an access log, as we run it."""

    name = "aiohttp, static"
    hashing = "none"

    async def install(self) -> None:
        """Nothing to do: we stand on it."""
        self.version = version("aiohttp")

    async def seed(self, users: int) -> None:
        """Nobody lives here."""

    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Serve."""
        path = os.pathsep.join([str(ROOT), *sys.path])
        words = [sys.executable, "-m", "tests.bench.contenders.static", str(self.port)]
        await self.serve(words, "/", PYTHONPATH=path)

    async def me(self) -> Load:
        """Ask for the bytes."""
        return self.load([Request(method="GET", path="/")])


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text=_TEXT, content_type="application/json")


async def _serve(port: int) -> None:
    app = web.Application()
    app.router.add_get("/", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
