"""What seeing costs: counting, timing and logging a request; and being scraped.

The same requests are answered with everything that watches them and without, in turn, by one
process whose CPU time is measured; another process asks, a third one reads the log from a pipe, as
in production, and the garbage collector is set as there.
"""

import asyncio
import statistics
import subprocess
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from typing import Any, TextIO

import aiohttp
import uvloop
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import Counter

import api.middleware
from api.app import make_app
from api.context import Call
from api.observing import SETTLING_SECONDS, Observer
from api.parts import open_parts
from api.serving.child import leave_alone_what_stays, start
from ops.ids import new_id, new_request_id
from ops.logging import bind, set_up, unbind
from ops.metrics import Metrics
from ops.settings import load
from storage.operations import Stopwatch
from storage.users.repository import BY_ID
from tests.bench.asking import asking
from tests.bench.report import about, table
from tests.factories import CHEAP, bearer, free_socket, register
from tests.timing import server

_REQUESTS = 300
_CONNECTIONS = 8
# Short rounds and many: what else the machine does is the same for two neighbours.
_PAIRS = 10
_ROUTES = 60
_STATUSES = ("200", "401", "404", "409")
_SCRAPING_SECONDS = 3.0
_TICK_SECONDS = 0.001
# By what a request does besides being answered.
_PATHS = {
    "who am I (no statement)": "/api/v1/auth/me",
    "my sessions (one statement)": "/api/v1/auth/sessions",
}
_OFF = {"RATE_LIMIT_AUTHENTICATED": "off", "RATE_LIMIT_ANONYMOUS": "off"}

Rows = list[tuple[str, str, str]]


async def instrumentation(chosen: Namespace) -> str:
    """Measure what a request pays, and what a scrape takes."""
    rounds = chosen.repeat * _PAIRS
    # On the loop that production has; the one we are on only waits.
    requests = await asyncio.to_thread(lambda: uvloop.run(_requests(rounds)))
    by_itself = await asyncio.to_thread(lambda: uvloop.run(_by_itself()))
    scrapes = await asyncio.to_thread(lambda: uvloop.run(_scrapes()))
    parameters = (
        f"{_REQUESTS:,} requests a round over {_CONNECTIONS} connections, {rounds} rounds with and"
        " without in turn, CPU time of the web process, the median of the differences of"
        " neighbours, in the quickest third of the pairs; scrapes of"
        f" {_ROUTES} routes with {len(_STATUSES)} statuses each"
    )
    return about(parameters) + table([*requests, *by_itself, *scrapes])


async def _requests(rounds: int) -> Rows:
    rows = []
    with server.stack() as environ, asking() as ask:
        async with server.owning(environ), _serving(environ) as url:
            async with aiohttp.ClientSession(url) as client:
                authorization = bearer(await register(client))["Authorization"]

            def one_round(url: str, path: str) -> Any:
                return ask(
                    "requests",
                    url=url,
                    path=path,
                    authorization=authorization,
                    count=_REQUESTS,
                    at_once=_CONNECTIONS,
                )

            for name, path in _PATHS.items():
                rows.append(await _compared(name, partial(one_round, url, path), rounds))
        async with _nothing() as url:
            spent = [await _spent(partial(one_round, url, "/")) for _ in range(rounds)]
    rows.append(("what aiohttp takes to answer nothing here", f"{min(spent):.0f} us", ""))
    return rows


async def _compared(name: str, one_round: Callable[[], Any], rounds: int) -> tuple[str, str, str]:
    await asyncio.to_thread(one_round)  # statements are prepared, and what is remembered is
    seen, unseen = [], []
    for number in range(rounds):
        # Whoever comes second is not always the same.
        for way in (seen, unseen) if number % 2 else (unseen, seen):
            with _blind() if way is unseen else nullcontext():
                way.append(await _spent(one_round))
    # Two neighbours are disturbed alike, and the quickest pairs least.
    pairs = sorted(zip(seen, unseen, strict=True), key=sum)[: max(1, rounds // 3)]
    cost = statistics.median(one - other for one, other in pairs)
    without = statistics.median(other for _, other in pairs)
    text = f"{cost:.1f} us more than {without:.0f} us without"
    return f"a request: {name}", text, "<= 25 us"


async def _spent(one_round: Callable[[], Any]) -> float:
    """Return the microseconds of CPU that a request took in this process."""
    begun = time.process_time()
    await asyncio.to_thread(one_round)
    await asyncio.sleep(2 * SETTLING_SECONDS)  # what is written down in a moment is of this round
    return (time.process_time() - begun) / _REQUESTS * 1e6


@contextmanager
def _blind() -> Iterator[None]:
    """Take the instrumentation out: what is left is the same handler."""
    nothing: list[tuple[Any, str, Any]] = [
        (Observer, "record", lambda *_, **__: None),
        (Stopwatch, "took", lambda *_: None),
        (Stopwatch, "took_named", lambda *_: None),
        (Counter, "inc", lambda *_: None),
        (api.middleware, "bind", lambda _: None),
        (api.middleware, "unbind", lambda _: None),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in nothing]
    for owner, name, blank in nothing:
        setattr(owner, name, blank)
    yield
    for owner, name, method in kept:
        setattr(owner, name, method)


@contextmanager
def _pipe() -> Iterator[TextIO]:
    """Give a pipe that somebody reads."""
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as reader:
        assert reader.stdin
        yield reader.stdin  # type: ignore[misc]  # the stubs do not know that it is text


async def _by_itself() -> Rows:
    """Measure the same without a server around it: what a busy machine changes least."""
    metrics = Metrics()
    observer = Observer(metrics, slow_milliseconds=1_000)
    watch = Stopwatch(metrics, slow_milliseconds=200)
    request = make_mocked_request("GET", f"/api/v1/users/{new_id().hex}")
    response = web.Response()
    route = "/api/v1/users/{id}"
    calls = [
        Call(request_id=new_request_id(), address="", user_agent="", route=route)
        for _ in range(100)
    ]

    def observed() -> None:
        for call in calls:
            facts = bind({"request_id": call.request_id})
            observer.record(request, response, call, seconds=0.01)
            unbind(facts)
        observer.settle()

    def timed() -> None:
        for _ in calls:
            watch.took(BY_ID, 0.001)

    with _pipe() as output:
        set_up(load({"LOG_FORMAT": "json"}, strict=False), process="web.1", output=output)
        per_request, per_statement = (_quickest(work) / len(calls) for work in (observed, timed))
        set_up(load({}, strict=False), process="bench")
    text = f"{per_request:.1f} us, and {per_statement:.1f} us a statement"
    return [("by itself: counting, timing, ids, the line of the access log", text, "")]


def _quickest(work: Callable[[], None]) -> float:
    """Return the microseconds of CPU of the quickest of many times."""
    spent = []
    for _ in range(500):
        begun = time.thread_time_ns()
        work()
        spent.append(time.thread_time_ns() - begun)
    return min(spent) / 1_000


@asynccontextmanager
async def _serving(environ: dict[str, str]) -> AsyncIterator[str]:
    settings = load(environ | _OFF)
    with _pipe() as output:
        set_up(settings, process="web.1", output=output)
        async with open_parts(settings, name="bench", cost=CHEAP) as parts:
            sock = free_socket()
            runner, listening = await start(await make_app(parts), sock)
            leave_alone_what_stays()
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
            listening.close()
            await runner.cleanup()
        set_up(settings, process="bench")


@asynccontextmanager
async def _nothing() -> AsyncIterator[str]:
    """Serve what does nothing: how quick the machine is."""

    async def nothing(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/", nothing)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = free_socket()
    await web.SockSite(runner, sock).start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    await runner.cleanup()


async def _scrapes() -> Rows:
    listener = _filled().listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.port}/metrics"
    with asking() as ask:
        idle = await _lateness(asyncio.to_thread(time.sleep, _SCRAPING_SECONDS))
        found: dict[str, Any] = {}
        scraping = asyncio.to_thread(ask, "scrapes", url=url, seconds=_SCRAPING_SECONDS)
        late = await _lateness(_into(found, scraping))
    listener.close()
    took = sorted(found["seconds"])
    times = f"{took[0] * 1000:.1f}, {statistics.median(took) * 1000:.1f}"
    sizes = f"{found['gzip'] / 1000:.1f} ({found['text'] / 1000:.0f} of text)"
    return [
        (f"a scrape of {found['lines']:,} lines, ms: quickest, median", times, "<= 15"),
        ("its size, kB", sizes, "<= 100"),
        (
            "how late the event loop is, ms: half of the time, 99 % of it, idle",
            f"{idle[0]:.1f}, {idle[1]:.1f}",
            "",
        ),
        (
            f"the same while it is scraped {len(took) / _SCRAPING_SECONDS:.0f} times a second",
            f"{late[0]:.1f}, {late[1]:.1f}",
            "",
        ),
    ]


def _filled() -> Metrics:
    metrics = Metrics()
    for number in range(_ROUTES):
        route = f"/api/v1/some-feature/{{id}}/part-{number}"
        metrics.request_seconds.labels("GET", route).observe(0.02)
        for status in _STATUSES:
            metrics.requests.labels("GET", route, status).inc()
        metrics.db_operations.labels(f"feature.statement_{number}").observe(0.002)
    return metrics


async def _into(found: dict[str, Any], work: Any) -> None:
    found.update(await work)


async def _lateness(work: Any) -> tuple[float, float]:
    """Return by how many milliseconds the loop woke up late while something was done: p50, p99."""
    doing = asyncio.ensure_future(work)
    loop, late = asyncio.get_running_loop(), []
    while not doing.done():
        due = loop.time() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        late.append((loop.time() - due) * 1000)
    await doing
    late.sort()
    return late[len(late) // 2], late[int(len(late) * 0.99)]
