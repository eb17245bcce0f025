"""Runs the service under load, looks at it, and says what grew beyond its bound."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.chaos.soak.load import Load
from tests.chaos.soak.samples import Observer, Series, seconds_since
from tests.ops.stacks import open_room
from tests.ops.test_up import Up

PEOPLE = 20
_HOUR = 3_600
_SLOWEST = 5.0

# By the beginning of a name: what may be added by a run of any length, and what in an hour. What
# only ever grows with what happened (audit, sessions, promises done, letters) is kept for a time
# that settings name: it is reported, and the clock's clean-up has tests of its own.
BOUNDS: dict[str, tuple[float, float]] = {
    "memory postgres": (60, 10),  # up to 40 backends fill their caches
    "memory": (8, 8),
    "files postgres": (1_500, 50),  # and keep the files of their tables open
    "files api.serving.child": (60, 2),  # a socket for each caller at once, and for their queries
    "files": (12, 2),
    "keys": (200, 0),
    "connections": (20, 2),
    "open promises": (30, 0),
    "table users": (1, 1),
    "table credentials": (1, 1),
    "table queue_pauses": (1, 1),
    "table clock_slots": (1, 1),
    "indexes of users": (1, 1),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a soak found: a printable table, and a line for each thing that grew too much."""

    table: str
    complaints: list[str]


async def soak(*, seconds: float, every: float, rate: float) -> Report:
    """Run the whole service for so long under so many requests a second."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(open_room())
        limits = {"rate_limit_anonymous": "off", "rate_limit_authenticated": "off"}
        run = Up(folder / "home", **limits, rate_limit_auth_failures="off", log_level="warning")
        opened.callback(run.stop)
        await asyncio.to_thread(run.await_card)
        client = await opened.enter_async_context(
            aiohttp.ClientSession(f"http://127.0.0.1:{run.port}")
        )
        load, series = Load(client, people=PEOPLE, rate=rate), Series()
        observer = Observer(Path(run.home), run.process.pid)
        loading = asyncio.create_task(load.run(seconds))
        begun = time.monotonic()
        while not loading.done():
            await asyncio.wait({loading}, timeout=every)
            series.add(seconds_since(begun), await observer.look())
        await loading
    return _judged(series, load, seconds)


def _judged(series: Series, load: Load, seconds: float) -> Report:
    complaints, lines = [], [f"{'':44}{'first':>9}{'last':>9}{'per hour':>10}"]
    window = seconds * 0.75
    for name in sorted(series.values):
        points = series.values[name]
        slope = series.slope(name, since=seconds / 4)
        per_hour = slope * _HOUR
        if any(value for _, value in points):
            first, last = points[0][1], points[-1][1]
            lines.append(f"{name:44}{first:9.2f}{last:9.2f}{per_hour:10.2f}")
        key = next((key for key in BOUNDS if name.startswith(key)), None)
        if key is None:
            continue
        once, hourly = BOUNDS[key]
        allowed = once + hourly * window / _HOUR
        if slope * window > allowed:
            complaints.append(f"{name} grew by {slope * window:.1f}, {allowed:.1f} is allowed")
    waits = sorted(load.waits)
    slowest = waits[int(len(waits) * 0.99)]
    lines.append(f"answers {dict(load.statuses)}, p99 of the last {len(waits)}: {slowest:.3f} s")
    if slowest > _SLOWEST:
        complaints.append(f"the last answers took {slowest:.1f} s")
    # A machine too busy to hash passwords says 503, as it should.
    if bad := [status for status in load.statuses if status >= 500 and status != 503]:
        complaints.append(f"answers with {bad}")
    return Report("\n".join(lines), complaints)
