"""`make bench`: measures what PERFORMANCE promises and writes docs/BENCHMARKS.md.

Every row runs servers of its own in a folder that goes. `make bench ROW=relay` runs one row and
leaves the sections of the others as they are.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from tests.bench import instrumentation, ledger, lists, peers, pipeline, report, traces

# By the name that ROW takes: the title of its section and what measures it.
_ROWS: dict[str, tuple[str, Callable[[argparse.Namespace], Awaitable[str]]]] = {
    "lists": ("Lists of users", lists.lists),
    "relay": ("The relay", pipeline.relay),
    "start": ("From commit to start", pipeline.start),
    "jobs": ("Jobs beside Celery", peers.jobs),
    "memory": ("A worker's memory", pipeline.memory),
    "ledger": ("The audit ledger", ledger.ledger),
    "instrumentation": ("What seeing costs", instrumentation.instrumentation),
    "traces": ("What traces cost", traces.traces),
}


async def _measure(chosen: argparse.Namespace) -> None:
    for name in [chosen.row] if chosen.row else _ROWS:
        title, row = _ROWS[name]
        text = await row(chosen)
        report.write(title, text)
        print(f"## {title}\n\n{text}")


def main() -> int:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--row", choices=_ROWS, help="measure this only")
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users (1,000,000)")
    parser.add_argument("--rounds", type=int, default=120, help="calls of each list (120)")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs of a worker (100,000)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of a pipeline's row (5)")
    asyncio.run(_measure(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
