"""`make bench`: measures how fast we are, beside others and alone, and writes docs/BENCHMARKS.md.

Every row runs servers of its own in a folder that goes. `make bench ROW=relay` runs one row and
leaves the sections of the others as they are. Rows beside others share what was installed and
filled for the first of them; programs of others are kept in $OSTIARY_BENCH_HOME, else in
~/.cache/ostiary/bench.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from tests.bench import (
    instrumentation,
    ledger,
    lists,
    passwords,
    peers,
    pipeline,
    scale,
    speed,
    storm,
    traces,
    weight,
)
from tests.bench.arena import Arena, opened
from tests.bench.loading import LoadFailed
from tests.bench.page import PAGE

# By the name that ROW takes: the title of its section and what measures it.
_BESIDE: dict[str, tuple[str, Callable[[Arena, argparse.Namespace], Awaitable[str]]]] = {
    "me": ("Who am I", speed.me),
    "read": ("A person, nothing cached", speed.read),
    "login": ("Signing in", passwords.login),
    "sign-up": ("Signing up", passwords.sign_up),
    "storm": ("Others, while many sign in", storm.storm),
    "refresh": ("Going on with a session", speed.refresh),
    "people": ("A list of people", speed.people),
    "processes": ("Memory and start", weight.processes),
    "two": ("Two web processes", scale.two),
}
_ROWS: dict[str, tuple[str, Callable[[argparse.Namespace], Awaitable[str]]]] = {
    "growth": ("Cost as it grows", scale.growth),
    "lists": ("Lists of users", lists.lists),
    "relay": ("The relay", pipeline.relay),
    "start": ("From commit to start", pipeline.start),
    "jobs": ("Jobs beside Celery", peers.jobs),
    "memory": ("A worker's memory", pipeline.memory),
    "ledger": ("The audit ledger", ledger.ledger),
    "instrumentation": ("What seeing costs", instrumentation.instrumentation),
    "traces": ("What traces cost", traces.traces),
}
# Several rows at once, by one name.
_SETS = {"beside": tuple(_BESIDE), "all": (*_BESIDE, *_ROWS)}


async def _measure(chosen: argparse.Namespace) -> int:
    """Measure row after row; one that failed is told, and the next begins."""
    failed: list[str] = []
    names = _SETS.get(chosen.row, (chosen.row,))
    async with AsyncExitStack() as stack:
        if beside := [name for name in names if name in _BESIDE]:
            arena = await stack.enter_async_context(opened(chosen.people))
            for name in beside:
                title, row_beside = _BESIDE[name]
                try:
                    _tell(title, await row_beside(arena, chosen))
                except LoadFailed as error:
                    failed.append(f"{name}: {error}")
    for name in names:
        if name in _ROWS:
            title, row = _ROWS[name]
            _tell(title, await row(chosen))
    for line in failed:
        print(f"FAILED {line}", file=sys.stderr)
    return 1 if failed else 0


def _tell(title: str, text: str) -> None:
    PAGE.write(title, text)
    print(f"## {title}\n\n{text}", flush=True)


def main() -> int:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    rows = (*_SETS, *_BESIDE, *_ROWS)
    parser.add_argument("--row", choices=rows, default="all", help="measure this only (all)")
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users (1,000,000)")
    parser.add_argument(
        "--people", type=int, default=100_000, help="how many are seeded into each (100,000)"
    )
    parser.add_argument("--rounds", type=int, default=120, help="calls of each list (120)")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs of a worker (100,000)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of most rows (5)")
    return asyncio.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
