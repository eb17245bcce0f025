"""What traces cost a request: none, one in a hundred, all of them.

Each share has a server of its own in one process whose CPU time is measured; they are asked in
turn. What is sent is sent between the rounds, and measured apart: a thread of its own does it.
Another process asks, a third one takes the traces. Figures are those of the fastest rounds: one
that others disturbed tells more of them than of traces.
"""

import asyncio
import functools
import os
import random
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
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

_REQUESTS = 100
_CONNECTIONS = 8
_ROUNDS = 16
# Of the rounds, this share is fast.
_FAST = 0.05
_OFF = {"RATE_LIMIT_AUTHENTICATED": "off", "RATE_LIMIT_ANONYMOUS": "off"}
_NONE, _ALL = "no traces", "all"
_SHARES = {_NONE: "", "one in a hundred": "0.01", _ALL: "1"}
# By what a request does besides being answered.
_PATHS = {
    "who am I (no statement)": "/api/v1/auth/me",
    "my sessions (one statement)": "/api/v1/auth/sessions",
}

Ask = Callable[..., Any]
Rows = list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class _Server:
    """Where it answers, and how it sends what is left."""

    url: str
    flush: Callable[[], Any]


async def traces(chosen: Namespace) -> str:
    """Measure what a request pays for its trace."""
    rounds = chosen.repeat * _ROUNDS
    # On the loop that production has; the one we are on only waits.
    rows = await asyncio.to_thread(lambda: uvloop.run(_requests(rounds)))
    parameters = (
        f"{_REQUESTS:,} requests a round over {_CONNECTIONS} connections, {rounds} rounds, the"
        " shares in turn, CPU time of the web process, the fastest twentieth of the rounds"
    )
    return about(parameters) + table(rows)


async def _requests(rounds: int) -> Rows:
    with server.stack() as environ, asking() as ask, discarding() as collector:
        async with server.owning(environ), AsyncExitStack() as stack:
            set_up(load(environ), process="bench", output=stack.enter_context(_nowhere()))
            servers = {
                name: await stack.enter_async_context(_serving(environ, share, collector))
                for name, share in _SHARES.items()
            }
            async with aiohttp.ClientSession(servers[_NONE].url) as client:
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
                rows += await _compared(what, servers, one_round, rounds)
            set_up(load(environ), process="bench")
    return rows


async def _compared(what: str, servers: dict[str, _Server], one_round: Ask, rounds: int) -> Rows:
    spent: dict[str, list[float]] = {name: [] for name in servers}
    sent: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        for name, each in random.sample(list(servers.items()), len(servers)):
            asking_took = await _spent(functools.partial(one_round, url=each.url))
            sending_took = await _spent(each.flush)
            if number:  # at first statements are prepared, and what is remembered is
                spent[name].append(asking_took)
                sent[name].append(sending_took)
    base = _fast(spent[_NONE])
    rows = [(f"{what}: {_NONE}", f"{base:.0f} us", "")]
    for name in [each for each in servers if each != _NONE]:
        more = _fast(spent[name]) - base
        rows.append((f"{what}: {name}", f"{more:+.0f} us (x{1 + more / base:.2f})", ""))
    rows.append((f"{what}: {_ALL}, sending them", f"{_fast(sent[_ALL]):+.0f} us", ""))
    return rows


def _fast(times: list[float]) -> float:
    return sorted(times)[int(len(times) * _FAST)]


async def _spent(work: Callable[[], Any]) -> float:
    """Return the microseconds of CPU that this process gave it, by request."""
    begun = time.process_time()
    await asyncio.to_thread(work)
    return (time.process_time() - begun) / _REQUESTS * 1e6


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


@asynccontextmanager
async def _serving(environ: dict[str, str], share: str, collector: str) -> AsyncIterator[_Server]:
    wanted = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_TRACES_SAMPLER_ARG": share,
    }
    settings = load(environ | _OFF | (wanted if share else {}))
    async with open_parts(settings, name="bench", cost=CHEAP) as parts:
        sock = free_socket()
        runner, listening = await start(await make_app(parts), sock)
        flush = parts.tracer._library._provider.force_flush if parts.tracer else bool  # type: ignore[attr-defined]
        yield _Server(f"http://127.0.0.1:{sock.getsockname()[1]}", flush)
        listening.close()
        await runner.cleanup()
