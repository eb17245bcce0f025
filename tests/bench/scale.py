"""Rows of more: two web processes, and a million people with their sessions and audit events."""

import statistics
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.bench.arena import Arena, Asking, place
from tests.bench.asked import Load
from tests.bench.contenders.contender import Contender
from tests.bench.contenders.ostiary import Ostiary
from tests.bench.figures import Goal, Measured, ratio
from tests.bench.page import PAGE
from tests.bench.report import about
from tests.bench.section import Compared, verdict, written
from tests.bench.speed import exact, fast
from tests.bench.storm import OPERATION as STORM
from tests.bench.storm import weather
from tests.bench.weight import weighed_of
from tests.ops.stacks import open_room

_PROCESSES = 2
_SECONDS = 2.0
_SIZES = (1_000, 100_000)
# The last size may cost so many times the first one.
_FLAT = 1.25

Operation = Callable[[Contender], Awaitable[Load | None]]

_SESSIONS = """
INSERT INTO sessions (id, user_id, key_id, amr, authenticated_at, expires_at, absolute_expires_at)
SELECT gen_random_uuid(), id, 'k1', '{pwd}', now(), now() + interval '7 days',
    now() + interval '90 days'
FROM users
"""
_EVENTS = """
INSERT INTO audit_ledger (sequence, id, action, outcome, actor_kind, actor_id, subject_id, facts,
    happened_at, personal_hash, previous_hash, hash, sealed_at)
SELECT row_number() OVER (), gen_random_uuid(), 'user.signed_in', 'success', 'user', id, id, '{}',
    now(), '', '', '', now()
FROM users
"""


async def two(arena: Arena, chosen: Namespace) -> str:
    """Ask whatever is asked beside the others with one process, two processes each."""
    await _restarted(arena.contenders, _PROCESSES)
    asked: tuple[tuple[str, Operation, Asking], ...] = (
        ("Who am I", lambda one: one.me(), fast(32)),
        ("A person, nothing cached", lambda one: one.read(), fast(32)),
        ("Sign in, default hashes", lambda one: one.login(), exact(8)),
        ("Sign up, default hashes", lambda one: one.sign_up(), exact(8)),
        ("Refresh", lambda one: one.refresh(8), exact(8)),
        ("List 30 people", lambda one: one.people(), fast(8)),
        ("List 30 people, with total", lambda one: one.counted(), fast(8)),
    )
    compared = [
        Compared(
            key=f"two-{number}",
            operation=f"{name}, two processes",
            measured=await arena.measured(
                operation, asking, seconds=_SECONDS, repeat=chosen.repeat
            ),
        )
        for number, (name, operation, asking) in enumerate(asked, 1)
    ]
    seen = await weather(arena, chosen.repeat)
    await _restarted(arena.contenders, 1)
    note = f"{chosen.repeat} rounds in turn, two web processes (PocketBase: one, on every core)"
    stormy = f"{STORM}, two processes"
    told = seen.told(stormy, key="two-storm")
    return f"{written(arena, note, compared)}\n\n### {stormy}\n\n{told}"


async def _restarted(contenders: Sequence[Contender], processes: int) -> None:
    for one in contenders:
        await one.stop()
        await one.start(processes=processes)


async def growth(chosen: Namespace) -> str:
    """Measure what a request costs with a thousand, a hundred thousand and all people, in turn."""
    sizes = sorted({*(size for size in _SIZES if size < chosen.users), chosen.users})
    asked: tuple[tuple[str, Operation, Asking], ...] = (
        ("who am I", lambda one: one.me(), fast(8)),
        ("a person, nothing cached", lambda one: one.read(), fast(8)),
        ("sign in", lambda one: one.login(), exact(8)),
        ("sign up", lambda one: one.sign_up(), exact(8)),
        ("refresh", lambda one: one.refresh(8), exact(8)),
        ("list 30, by cursor", lambda one: one.people(), fast(8)),
        ("list 30, with total", lambda one: one.counted(), fast(8)),
    )
    async with _houses(sizes) as houses:
        arena = Arena(contenders=houses, static=houses[0], loader="", users=chosen.users)
        found = {
            name: await arena.measured(operation, asking, seconds=_SECONDS, repeat=chosen.repeat)
            for name, operation, asking in asked
        }
        seen = await weather(arena, chosen.repeat)
        weighed = {one.name: await weighed_of(one) for one in houses}
    goals = [_flat(name, measured, sizes) for name, measured in found.items()]
    counts = all(measured.quiet.enough for measured in found.values())
    PAGE.summarize("Cost with the most people", ["-"] * 3 + _ends(goals, counts=counts))
    head = f"| CPU of a request, us | {' | '.join(f'{n:,} people' for n in sizes)} | last / first |"
    rows = [head, "|---" * (len(sizes) + 2) + "|"]
    rows += [_row(name, found[name], goal) for name, goal in zip(found, goals, strict=True)]
    rows += [
        _beside("p99 of who am I while 32 sign in, ms", seen.p99()),
        _beside(
            "largest web process under load, MB",
            {name: one.loaded.largest for name, one in weighed.items()},
        ),
    ]
    found["in the storm"] = seen.blown
    what = f"{chosen.repeat} rounds in turn, three houses; a session and an audit event for each"
    quiet = "\n".join(f"- {name}: {measured.quiet.words()}" for name, measured in found.items())
    return about(what) + "\n".join(rows) + "\n\n" + quiet


def _ends(goals: Sequence[Goal], *, counts: bool) -> list[str]:
    worst = max(goals, key=lambda goal: goal.value)
    return [f"{worst.told(worst.value)} at most", *verdict([worst], counts=counts)]


def _flat(name: str, measured: Measured, sizes: Sequence[int]) -> Goal:
    few, many = (measured.per_core(f"{size:,}") for size in (sizes[0], sizes[-1]))
    return Goal(what=name, value=ratio(few, many), bound=_FLAT, at_most=True)


def _row(name: str, measured: Measured, goal: Goal) -> str:
    cells = [
        f"{statistics.median(1e6 / turn.per_core for turn in turns):,.0f}"
        for turns in measured.turns.values()
    ]
    return f"| {name} | {' | '.join(cells)} | {goal.told(goal.value)} |"


def _beside(name: str, figures: Mapping[str, float]) -> str:
    """Return a row of what is no CPU time: figures of few to many people."""
    found = list(figures.values())
    cells = [f"{figure:,.1f}" for figure in found]
    return f"| {name} | {' | '.join(cells)} | {found[-1] / found[0]:.3g}x |"


@asynccontextmanager
async def _houses(sizes: Sequence[int]) -> AsyncIterator[list[Contender]]:
    """Run one of ours for each size, with as many sessions and audit events as people."""
    houses: list[Contender] = []
    with open_room(on_disk=True) as room:
        try:
            for size in sizes:
                one = Ostiary(place(room, f"n{size}"))
                one.name = f"{size:,}"
                houses.append(one)
                await one.seed(size)
                async with AsyncExitStack() as stack:
                    owner = await one.owner(stack)
                    for statement in (_SESSIONS, _EVENTS, "VACUUM (ANALYZE)"):
                        await owner.execute(statement)
                await one.start()
            yield houses
        finally:
            for one in houses:
                await one.close()
