"""Everything that is to be proved, lived through once: a start, calm, accidents, the end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import psutil
from aiohttp import web

from grafana.generate import expressions
from ops.logging import get_logger
from tests.factories import free_socket
from tests.ops.stacks import is_gone, wait_until
from tests.watching.drill import Fault, Scene, Told, drill
from tests.watching.house import House, watched
from tests.watching.load import Load
from tests.watching.pace import hurry
from tests.watching.prometheus import Alertmanager, Prometheus, selectors

# What fires on the first day of a house in which all is well: a dead man's switch, and the news
# that there is an administrator.
_IN_CALM = {"Watchdog", "AdminCreated"}
# What a test's machine is to blame for, on which others work too.
_BUSY = {
    "CpuSaturated", "DiskFillsIn4h", "MemoryHigh", "EventLoopLagHigh", "HashPoolSaturated",
    "JobWaitHigh", "LatencyBudgetBurn", "PoolExhausted",
}  # fmt: skip

# One process of each type, three exporters.
_TARGETS = 9

Accidents = tuple[tuple[Fault, ...], ...]

_log = get_logger()


@dataclass(slots=True)
class Story:
    """What was seen."""

    card: str
    targets: dict[str, str] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    # Names of alerts and whether they fired or ended, as Alertmanager passed them on.
    notified: set[tuple[str, str]] = field(default_factory=set)
    rules: list[dict[str, Any]] = field(default_factory=list)
    panels: int = 0
    # What gave no number in all this time.
    empty_panels: list[str] = field(default_factory=list)
    empty_selectors: set[str] = field(default_factory=set)
    command_lines: str = ""
    secrets: set[str] = field(default_factory=set)
    # Who listens where, other than on 127.0.0.1.
    open_to_others: list[str] = field(default_factory=list)
    refused_to_monitor: str = ""
    grafana: dict[str, str] = field(default_factory=dict)
    code: int | None = None
    last_words: str = ""


async def lived(accidents: Accidents) -> Story:
    """Live through it; those of one tuple happen at once."""
    with watched() as house:
        story = Story(house.await_card())
        async with (
            _sink(story) as sink,
            aiohttp.ClientSession(house.url, cookie_jar=aiohttp.DummyCookieJar()) as client,
            aiohttp.ClientSession() as other,
        ):
            scene = Scene(
                house,
                Load(client),
                Prometheus(other, house.address("Prometheus")),
                Alertmanager(other, house.address("Alerts")),
            )
            await _seen(scene, story, sink, accidents)
        processes = house.tree()
        story.code = house.stop()
        story.last_words = house.text[-2_000:]
        wait_until(lambda: all(is_gone(process.pid) for process in processes))
    return story


async def _seen(scene: Scene, story: Story, sink: str, accidents: Accidents) -> None:
    since = time.time()
    hurry(scene.house.watch, sink)
    scene.house.reload()
    await scene.load.begin()
    running = asyncio.create_task(scene.load.run())
    try:
        await _all_up(scene, story)
        await scene.prometheus.until(lambda firing: firing <= _IN_CALM | _BUSY, 60)
        for faults in accidents:
            for told in await drill(scene, *faults):
                story.told.append(told)
                _log.info("alert", name=told.alert, fired=told.fired, resolved=told.resolved)
        await _looked_at_everything(scene.prometheus, story, since)
        await _looked_at_processes(scene.house, story)
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _all_up(scene: Scene, story: Story) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        story.targets = await scene.prometheus.targets()
        if len(story.targets) >= _TARGETS and set(story.targets.values()) == {"up"}:
            return
        await asyncio.sleep(0.5)


async def _looked_at_everything(prometheus: Prometheus, story: Story, since: float) -> None:
    for dashboard, panel, expression in expressions():
        story.panels += 1
        if not await prometheus.has_data(expression, since):
            story.empty_panels.append(f"{dashboard}: {panel}: {expression}")
    story.rules = await prometheus.rules()
    asked = {name for rule in story.rules for name in selectors(rule["query"])}
    for selector in sorted(asked):
        if not await prometheus.has_data(f"{selector}", since):
            story.empty_selectors.add(selector)


async def _looked_at_processes(house: House, story: Story) -> None:
    story.secrets = house.secrets()
    story.grafana = house.grafana()
    for process in house.tree():
        story.command_lines += " ".join(process.cmdline()) + "\n"
        story.open_to_others += [
            f"{process.name()} {found.laddr}"
            for found in process.net_connections("inet")
            if found.status == psutil.CONN_LISTEN and found.laddr.ip != "127.0.0.1"
        ]
        if url := process.environ().get("DATA_SOURCE_NAME"):
            story.refused_to_monitor = await _refused(url)


async def _refused(url: str) -> str:
    """Try to read people as the exporter's role; return what PostgreSQL says."""
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT count(*) FROM users"))
    except asyncpg.InsufficientPrivilegeError as error:
        return str(error)
    finally:
        await connection.close()


@asynccontextmanager
async def _sink(story: Story) -> AsyncIterator[str]:
    """Take what Alertmanager tells; give the address for it."""

    async def take(request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            story.notified.add((alert["labels"]["alertname"], alert["status"]))
        return web.Response()

    app = web.Application()
    app.router.add_post("/alerts", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = free_socket()
    await web.SockSite(runner, sock).start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/alerts"
    finally:
        await runner.cleanup()
