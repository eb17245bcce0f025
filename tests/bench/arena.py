"""Where contenders meet: each with servers of its own, filled alike, asked in turn."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from tests.bench import loading, machine
from tests.bench.accounting import Machine, cpu_seconds
from tests.bench.accounting import machine as machine_now
from tests.bench.asked import Answered, Load
from tests.bench.contenders.better_auth import BetterAuth
from tests.bench.contenders.contender import Contender, NotHere, Place
from tests.bench.contenders.fastapi_users import FastapiUsers
from tests.bench.contenders.installing import kept
from tests.bench.contenders.ostiary import Ostiary
from tests.bench.contenders.pocketbase import PocketBase
from tests.bench.contenders.static import Static
from tests.bench.figures import Measured, Quiet, Turn
from tests.ops.stacks import open_room

_ALL: tuple[type[Contender], ...] = (PocketBase, BetterAuth, FastapiUsers, Ostiary)
# After a turn: until its servers rest, so that the next one has the machine to itself.
_AT_REST = 0.05
_RESTS_WITHIN = 8.0
_LOOK = 0.2
_WARM = 1.0
_NOTHING: Mapping[str, Callable[[], Turn]] = MappingProxyType({})

Operation = Callable[[Contender], Awaitable[Load | None]]
Asking = Callable[[Contender, Load, float], Awaitable[Answered]]


@dataclass(slots=True, kw_only=True)
class Arena:
    """The contenders that are here, and why the others are not."""

    contenders: Sequence[Contender]
    static: Contender
    loader: str
    users: int
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> Ostiary:
        """The one that is ours."""
        return next(one for one in self.contenders if isinstance(one, Ostiary))

    async def measured(  # noqa: PLR0913 - what, how, how long, how often, and who
        self,
        operation: Operation,
        asking: Asking,
        *,
        seconds: float,
        repeat: int,
        among: Sequence[Contender] = (),
        beside: Mapping[str, Callable[[], Turn]] = _NOTHING,
    ) -> Measured:
        """Ask every contender that has the operation, in turn, so often; raise LoadFailed.

        Who comes first is another one each time, and a first round warms up and is not counted.
        `beside` is measured once a round by itself.
        """
        turns: dict[str, list[Turn]] = {}
        quiet = Quiet()
        for number in range(-1, repeat):
            for one in _rotated(among or self.contenders, number):
                if (load := await operation(one)) is None:
                    continue
                await at_rest(one)
                if number < 0:
                    await _asked(one, load, asking, _WARM)
                    continue
                with watching(quiet, one):
                    turn = await _asked(one, load, asking, seconds)
                turns.setdefault(one.name, []).append(turn)
            if number >= 0:
                for name, measure in beside.items():
                    turns.setdefault(name, []).append(await asyncio.to_thread(measure))
        return Measured(turns=turns, quiet=quiet)


async def _asked(contender: Contender, load: Load, asking: Asking, seconds: float) -> Turn:
    before = cpu_seconds(contender.roots)
    answered = await asking(contender, load, seconds)
    cpu = cpu_seconds(contender.roots) - before
    return Turn(answered=loading.checked(contender.name, answered), cpu=cpu)


@contextmanager
def watching(quiet: Quiet, *contenders: Contender) -> Iterator[None]:
    """Note how long a fixed piece of work takes, and what others take of the machine meanwhile.

    Whatever is neither a contender of this turn nor we or what we started is others'.
    """
    quiet.controls.append(machine.control())
    before, own = machine_now(), _own(contenders)
    yield
    after = machine_now()
    quiet.others.append(_share(before, after, _own(contenders) - own))


def _own(contenders: Sequence[Contender]) -> float:
    roots = [root for contender in contenders for root in contender.roots]
    return cpu_seconds({os.getpid(), *roots})


def _share(before: Machine, after: Machine, own: float) -> float:
    total = after.total - before.total
    return max(0.0, (after.busy - before.busy - own) / total) if total else 0.0


async def at_rest(contender: Contender) -> None:
    """Wait until its servers do next to nothing, some seconds at most."""
    for _ in range(round(_RESTS_WITHIN / _LOOK)):
        before = cpu_seconds(contender.roots)
        await asyncio.sleep(_LOOK)
        if (cpu_seconds(contender.roots) - before) / _LOOK <= _AT_REST:
            return


def _rotated(contenders: Sequence[Contender], number: int) -> list[Contender]:
    by = number % len(contenders)
    return [*contenders[by:], *contenders[:by]]


@asynccontextmanager
async def opened(users: int) -> AsyncIterator[Arena]:
    """Install, fill and start everybody; end them all. What cannot be installed is told."""
    with open_room(on_disk=True) as room:
        static = Static(place(room, "static"))
        arena = Arena(contenders=[], static=static, loader=loading.ready(), users=users)
        here: list[Contender] = []
        try:
            for kind in _ALL:
                one = kind(place(room, kind.__name__.lower()))
                try:
                    _say(f"{one.name}: installing")
                    await one.install()
                except NotHere as error:
                    _say(f"{one.name} is left out: {error}")
                    arena.absent[one.name] = str(error)
                    continue
                here.append(one)
                _say(f"{one.name} {one.version}: seeding {users:,} people")
                await one.seed(users)
                await one.start()
            await static.install()
            await static.start()
            arena.contenders = here
            yield arena
        finally:
            for one in [*here, static]:
                await one.close()


def place(room: Path, name: str) -> Place:
    """Make room for one of them."""
    folder = room / name
    folder.mkdir(mode=0o755)
    return Place(kept=kept() / name, room=folder)


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")
