"""Rows of what costs a hash: signing in, signing up, and everybody else meanwhile."""

from argparse import Namespace
from collections.abc import Callable, Mapping

from tests.bench import machine
from tests.bench.arena import Arena
from tests.bench.contenders.contender import Contender
from tests.bench.figures import Measured, Turn
from tests.bench.section import (
    Compared,
    share,
    times,
    written,
)
from tests.bench.speed import exact

_AT_ONCE = 8
_SECONDS = 4.0
_CEILING = "Argon2id ceiling"
_EQUAL = ",".join(map(str, machine.ARGON2))


def _ceiling() -> Mapping[str, Callable[[], Turn]]:
    return {_CEILING: lambda: machine.ceiling(_SECONDS / 2)}


async def login(arena: Arena, chosen: Namespace) -> str:
    """Sign in, each with its default hash, then all with the same parameters that can."""
    measured = await arena.measured(
        lambda one: one.login(),
        exact(_AT_ONCE),
        seconds=_SECONDS,
        repeat=chosen.repeat,
        beside=_ceiling(),
    )
    equal = await _equal(arena, chosen)
    compared = [
        Compared(
            key="login",
            operation="Sign in, default hashes",
            measured=measured,
            goals=share(measured, _CEILING, 0.93),
            note=f"The ceiling is nothing but Argon2id ({_EQUAL}) on every core.",
        ),
        Compared(
            key="login-equal",
            operation="Sign in, equal parameters",
            measured=equal,
            goals=times(equal, "fastapi-users", 1.3),
            note=f"Everybody who can be told to hash with Argon2id, m,t,p = {_EQUAL}.",
        ),
    ]
    return written(arena, _how(chosen), compared)


async def _equal(arena: Arena, chosen: Namespace) -> Measured:
    able = [one for one in arena.contenders if one.takes_parameters]
    await _again(able, equal=_EQUAL)
    measured = await arena.measured(
        lambda one: one.equal_login(),
        exact(_AT_ONCE),
        seconds=_SECONDS * 0.75,
        repeat=chosen.repeat,
        among=able,
        beside=_ceiling(),
    )
    await _again(able)
    return measured


async def _again(contenders: list[Contender], **how: str) -> None:
    for one in contenders:
        await one.stop()
        await one.start(**how)


async def sign_up(arena: Arena, chosen: Namespace) -> str:
    """Register strangers."""
    measured = await arena.measured(
        lambda one: one.sign_up(),
        exact(_AT_ONCE),
        seconds=_SECONDS,
        repeat=chosen.repeat,
        beside=_ceiling(),
    )
    one = Compared(
        key="sign-up",
        operation="Sign up, default hashes",
        measured=measured,
        goals=share(measured, _CEILING, 0.90),
        note="Ostiary opens a session, promises a letter and notes an audit event with it.",
    )
    return written(arena, _how(chosen), [one])


def _how(chosen: Namespace) -> str:
    return f"{chosen.repeat} rounds in turn, {_AT_ONCE} connections, waiting for every answer"
