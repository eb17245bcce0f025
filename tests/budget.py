"""The table of round trips in docs/scaling.md: read, and held against what is counted."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.wire import Wires

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
_CELLS = 6
# What runs beside a request now and then adds to its count; it never takes anything from it.
_ATTEMPTS = 6

Key = tuple[str, str]
Ask = Callable[[], Awaitable[None]]
Arrange = Callable[[], Awaitable[Ask]]


@dataclass(frozen=True, slots=True, order=True)
class Cost:
    """What one piece of work costs on the wires."""

    postgres_trips: int
    statements: int
    redis_trips: int
    commands: int


def budget() -> dict[Key, Cost]:
    """Return what docs/scaling.md says, by work and state."""
    return dict(_rows())


def row(key: Key, cost: Cost) -> str:
    """Return the row that says so in docs/scaling.md."""
    return f"| {' | '.join([*key, *map(str, astuple(cost))])} |"


async def check(key: Key, wires: Wires, arrange: Arrange) -> None:
    """Have something done as often as it takes to cost what its row says; fail when it does not.

    `arrange` brings about the state and returns what is counted.
    """
    said, least, asked = budget().get(key), None, ""
    for _ in range(_ATTEMPTS):
        ask = await arrange()
        await wires.quiet()
        wires.clear()
        await ask()
        await wires.quiet()
        cost = _counted(wires)
        if least is None or cost < least:
            least, asked = cost, _told(wires)
        if least == said:
            return
    assert least
    told = f"not as docs/scaling.md says; if it is meant, its row is now\n\n{row(key, least)}"
    raise AssertionError(f"{told}\n\n{asked}")


def _counted(wires: Wires) -> Cost:
    postgres, redis = wires.postgres, wires.redis
    return Cost(postgres.trips, len(postgres.asked), redis.trips, len(redis.asked))


def _told(wires: Wires) -> str:
    return "\n".join(f"  {asked[:150]}" for asked in (*wires.postgres.asked, *wires.redis.asked))


def _rows() -> Iterator[tuple[Key, Cost]]:
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == _CELLS and all(cell.isdigit() for cell in cells[2:]):
            yield (cells[0], cells[1]), Cost(*map(int, cells[2:]))
