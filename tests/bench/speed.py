"""Rows of what is asked most: who am I, a person, a list, and going on with a session."""

from argparse import Namespace
from functools import partial

from tests.bench import loading
from tests.bench.arena import Arena, Asking
from tests.bench.asked import Answered, Load
from tests.bench.contenders.contender import Contender
from tests.bench.section import Compared, share, times, written

_CONNECTIONS = 32
_FEW = 8
_SECONDS = 3.0


def fast(at_once: int) -> Asking:
    """Ask by the fastest loader over so many connections."""

    async def asking(_: Contender, load: Load, seconds: float) -> Answered:
        return await loading.quickly(load, at_once=at_once, seconds=seconds)

    return asking


def exact(at_once: int) -> Asking:
    """Ask by the loader that waits for everything it asked."""

    async def asking(_: Contender, load: Load, seconds: float) -> Answered:
        return await loading.exactly(load, at_once=at_once, seconds=seconds)

    return asking


async def me(arena: Arena, chosen: Namespace) -> str:
    """Who am I, by everybody, beside what aiohttp can do at most."""
    measured = await arena.measured(
        lambda one: one.me(),
        fast(_CONNECTIONS),
        seconds=_SECONDS,
        repeat=chosen.repeat,
        among=[*arena.contenders, arena.static],
    )
    goals = [
        *times(measured, "PocketBase", 3.0),
        *times(measured, "fastapi-users", 12),
        *times(measured, "Better Auth", 15),
        *share(measured, arena.static.name, 0.35),
    ]
    note = (
        "Ostiary answers from memory, which forgets within a second of any change; the others read"
        " their database each time. That is a design that wins, not the same work done faster: the"
        " row below it is the one without memory."
    )
    one = Compared(
        key="me", operation="Who am I, 32 connections", measured=measured, goals=goals, note=note
    )
    return written(arena, _how(chosen, _CONNECTIONS), [one])


async def read(arena: Arena, chosen: Namespace) -> str:
    """Read people that no memory has."""
    measured = await arena.measured(
        lambda one: one.read(), fast(_CONNECTIONS), seconds=_SECONDS, repeat=chosen.repeat
    )
    note = (
        "An administrator reads 500 others in turn; everybody asks their database for each of them."
    )
    one = Compared(
        key="read",
        operation="A person, nothing cached",
        measured=measured,
        goals=times(measured, "PocketBase", 1.5),
        note=note,
    )
    return written(arena, _how(chosen, _CONNECTIONS), [one])


async def people(arena: Arena, chosen: Namespace) -> str:
    """List thirty people of all, without and with how many there are."""
    how = partial(arena.measured, seconds=2.0, repeat=chosen.repeat)
    listed = await how(lambda one: one.people(), fast(_FEW))
    counted = await how(lambda one: one.counted(), fast(_FEW))
    compared = [
        Compared(
            key="people",
            operation="List 30 people",
            measured=listed,
            goals=times(listed, "PocketBase", 2),
            note="Ostiary by cursor; PocketBase with `skipTotal=1`; Better Auth always counts.",
        ),
        Compared(
            key="people-counted",
            operation="List 30 people, with total",
            measured=counted,
            goals=times(counted, "PocketBase", 20),
            note="Ostiary by page: exact up to 10,000, then a lower bound that is marked as one.",
        ),
    ]
    return written(arena, _how(chosen, _FEW), compared)


async def refresh(arena: Arena, chosen: Namespace) -> str:
    """Go on with a session, again and again, each connection with its own."""
    measured = await arena.measured(
        lambda one: one.refresh(_FEW), exact(_FEW), seconds=_SECONDS, repeat=chosen.repeat
    )
    note = (
        "Ostiary rotates: every token is good once, and each step is committed before the answer."
        " PocketBase signs another token and keeps nothing, so a stolen one cannot be noticed."
        " Better Auth and fastapi-users have no refresh tokens. Stretch goal: x0.8."
    )
    one = Compared(
        key="refresh",
        operation="Refresh, 8 connections",
        measured=measured,
        goals=times(measured, "PocketBase", 0.55),
        note=note,
    )
    return written(arena, _how(chosen, _FEW), [one])


def _how(chosen: Namespace, at_once: int) -> str:
    return f"{chosen.repeat} rounds in turn, {at_once} connections"
