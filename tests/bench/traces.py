"""What traces cost a request: none, one in a hundred, all of them.

Each share has a server of its own in one process whose CPU time is measured, the thread that sends
included; they are asked in turn. Another process asks, a third one takes the traces.
"""

import asyncio
import functools
import os
import statistics
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import uvloop

from api.app import make_app
from api.parts import open_parts
from api.serving.child import start
from ops.logging import set_up
from ops.settings import load
from tests.bench.asking import asking
from tests.bench.discarding import discarding
from tests.bench.report import about, table
from tests.factories import CHEAP, bearer, free_socket, register
from tests.timing import server

_REQUESTS = 400
_CONNECTIONS = 8
_ROUNDS = 6
_OFF = {"RATE_LIMIT_AUTHENTICATED": "off", "RATE_LIMIT_ANONYMOUS": "off"}
_SHARES = {"no traces": "", "one in a hundred": "0.01", "all": "1"}
# By what a request does besides being answered.
_PATHS = {
    "who am I (no statement)": "/api/v1/auth/me",
    "my sessions (one statement)": "/api/v1/auth/sessions",
}

Ask = Callable[..., Any]
Rows = list[tuple[str, str, str]]


async def traces(chosen: Namespace) -> str:
    """Measure what a request pays for its trace."""
    rounds = chosen.repeat * _ROUNDS
    # On the loop that production has; the one we are on only waits.
    rows = await asyncio.to_thread(lambda: uvloop.run(_requests(rounds)))
    parameters = (
        f"{_REQUESTS:,} requests a round over {_CONNECTIONS} connections, {rounds} rounds, the"
        " shares in turn, CPU time of the web process, medians of the differences to no traces"
    )
    return about(parameters) + table(rows)


async def _requests(rounds: int) -> Rows:
    with server.stack() as environ, asking() as ask, discarding() as collector:
        async with server.owning(environ), AsyncExitStack() as stack:
            set_up(load(environ), process="bench", output=stack.enter_context(_nowhere()))
            urls = {
                name: await stack.enter_async_context(_serving(environ, share, collector))
                for name, share in _SHARES.items()
            }
            async with aiohttp.ClientSession(urls["no traces"]) as client:
                authorization = bearer(await register(client))["Authorization"]
            rows: Rows = []
            for what, path in _PATHS.items():
                one_round = functools.partial(
                    ask,
                    "requests",
                    path=path,
                    authorization=authorization,
                    count=_REQUESTS,
                    at_once=_CONNECTIONS,
                )
                rows += await _compared(what, urls, one_round, rounds)
            set_up(load(environ), process="bench")
    return rows


async def _compared(what: str, urls: dict[str, str], one_round: Ask, rounds: int) -> Rows:
    spent: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(rounds + 1):
        for name, url in urls.items():
            microseconds = await _spent(one_round, url)
            if number:  # at first statements are prepared, and what is remembered is
                spent[name].append(microseconds)
    without, *others = spent
    base = statistics.median(spent[without])
    rows = [(f"{what}: {without}", f"{base:.0f} us", "")]
    for name in others:
        pairs = zip(spent[name], spent[without], strict=True)
        cost = statistics.median(one - other for one, other in pairs)
        rows.append((f"{what}: {name}", f"{cost:+.1f} us (x{(base + cost) / base:.2f})", ""))
    return rows


async def _spent(one_round: Ask, url: str) -> float:
    """Return the microseconds of CPU that a request took in this process."""
    begun = time.process_time()
    await asyncio.to_thread(one_round, url=url)
    return (time.process_time() - begun) / _REQUESTS * 1e6


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


@asynccontextmanager
async def _serving(environ: dict[str, str], share: str, collector: str) -> AsyncIterator[str]:
    wanted = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_TRACES_SAMPLER_ARG": share,
        # The last batch of a round must not be paid by the next one.
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    settings = load(environ | _OFF | (wanted if share else {}))
    async with open_parts(settings, name="bench", cost=CHEAP) as parts:
        sock = free_socket()
        runner, listening = await start(await make_app(parts), sock)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        listening.close()
        await runner.cleanup()
