"""What processes weigh, idle and loaded, and how soon they answer."""

import asyncio
import os
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import loading
from tests.bench.accounting import Memory, memory
from tests.bench.arena import Arena, at_rest, watching
from tests.bench.contenders.command import Command
from tests.bench.contenders.contender import Contender
from tests.bench.figures import Goal, Quiet
from tests.bench.page import PAGE
from tests.bench.section import OURS, PEERS, about, goal_lines, verdict
from tests.factories import free_port
from tests.ops.stacks import ROOT, open_room

_LOADED_SECONDS = 4.0
_LOOKS = 12
_STARTS = 3
_SLOT_MB = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One contender: seconds to its first answer, and its largest process in MB."""

    start: float
    idle: Memory
    loaded: Memory


async def processes(arena: Arena, chosen: Namespace) -> str:
    """Start everybody, weigh them, put load on them, weigh them again; then our whole stack."""
    quiet, weighed = Quiet(), {}
    for one in arena.contenders:
        with watching(quiet, one):
            weighed[one.name] = await weighed_of(one)
    with watching(quiet):
        first, warm = await _stack()
    goals = [
        Goal(what="warm start", value=warm, bound=1.5, unit="s", at_most=True),
        Goal(what="first start ever", value=first, bound=3, unit="s", at_most=True),
        Goal(what="idle", value=weighed[OURS].idle.largest, bound=90, unit="MB", at_most=True),
        Goal(
            what="loaded, beside the hash slots",
            value=weighed[OURS].loaded.largest - _SLOT_MB * _slots(),
            bound=120,
            unit="MB",
            at_most=True,
        ),
    ]
    cells = [
        f"{weighed[name].idle.largest:.0f} / {weighed[name].loaded.largest:.0f} MB"
        if name in weighed
        else "-"
        for name in (*PEERS, OURS)
    ]
    PAGE.summarize(
        "Memory of a process, idle / loaded", [*cells, *verdict(goals, counts=quiet.enough)]
    )
    parameters = f"{_STARTS} starts; loaded: 4 s of GETs over 32 connections, then of signing in"
    note = (
        "PocketBase starts at once and weighs least when nobody asks: that is not claimed. The"
        " others' starts are of their server alone, with PostgreSQL up and tables made; ours is"
        " `python -m api`, and below it PostgreSQL, Redis, migrations, web, relay, clock and"
        " workers together, as `python -m ops up` starts them."
    )
    machine = f"The machine: {quiet.words()}."
    parts = [about(arena, parameters), _table(weighed), note, goal_lines(goals), machine]
    return "\n\n".join(parts)


def _slots() -> int:
    """Return how many passwords are hashed at once: one a core (HASH_SLOTS)."""
    return os.cpu_count() or 1


async def weighed_of(one: Contender) -> Weighed:
    """Start it some times, weigh it at rest and under load."""
    starts = [await _started(one) for _ in range(_STARTS)]
    await at_rest(one)
    idle = memory(one.servers)
    loaded = [idle]
    for load, at_once in ((await one.me(), 32), (await one.login(), 8)):
        assert load
        asking = asyncio.create_task(
            loading.exactly(load, at_once=at_once, seconds=_LOADED_SECONDS)
        )
        for _ in range(_LOOKS):
            await asyncio.sleep(_LOADED_SECONDS / _LOOKS)
            loaded.append(memory(one.servers))
        loading.checked(one.name, await asking)
    most = max(loaded, key=lambda seen: seen.largest)
    return Weighed(start=statistics.median(starts), idle=idle, loaded=most)


async def _started(one: Contender) -> float:
    await one.stop()
    begun = time.perf_counter()
    await one.start()
    return time.perf_counter() - begun


async def _stack() -> tuple[float, float]:
    """Return the seconds of `python -m ops up` to its first 200: the first ever, the second."""
    port = free_port()
    with open_room(on_disk=True) as room:
        environ = {
            "OSTIARY_HOME": str(room / "home"),
            "PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }
        took = [await _up(room, environ, port) for _ in range(2)]
    return took[0], took[1]


async def _up(room: Path, environ: dict[str, str], port: int) -> float:
    words = [sys.executable, "-m", "ops", "up"]
    whole = Command(words=words, folder=room, environ=environ)
    try:
        return await whole.start(f"http://127.0.0.1:{port}/health")
    finally:
        await whole.stop()


def _table(weighed: dict[str, Weighed]) -> str:
    head = (
        "| | start, s | processes | largest process idle, MB | loaded | all, idle (PSS) | loaded |"
    )
    rows = [head, "|---|---|---|---|---|---|---|"]
    for name, one in weighed.items():
        cells: Sequence[str] = [
            f"{one.start:.3f}",
            str(one.idle.processes),
            f"{one.idle.largest:.0f}",
            f"{one.loaded.largest:.0f}",
            f"{one.idle.pss:.0f}",
            f"{one.loaded.pss:.0f}",
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)
