"""Argon2id, bounded: few threads of low priority, a short queue, an early no (docs/passwords.md).

Each hash takes 19 MiB and some 30 ms of a core without holding the GIL; more threads than cores
gain nothing and slow everybody else down.

Hashes that other systems made are verified as well. They take another time, which must not tell
who has one: a failure does the work of every scheme in force, whoever it is about.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.low_level import Type

from api.passwords.schemes import Scheme, UnsupportedHash, scheme_named, scheme_of
from ops.errors import Kind, Unavailable
from ops.metrics import Metrics

T = TypeVar("T")

_NICENESS = 10
_LONGEST_WAIT = 1.5
# Foreign schemes that a failure pays for. Beyond them the cheapest are left out: a failure of
# somebody who has one of those takes that much longer than others.
_MOST_FOREIGN = 8


class HasherBusy(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """Too many people are signing in just now. Try again in a moment."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id parameters: KiB of memory, passes, lanes. The default is OWASP's first choice."""

    memory: int = 19_456
    passes: int = 2
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class _Decoy:
    """A scheme in force, and a hash of it that no password has."""

    scheme: Scheme
    stored: str


class Hasher:
    """Hashes and verifies passwords off the event loop."""

    def __init__(self, metrics: Metrics, *, slots: int, cost: Cost | None = None) -> None:
        chosen = cost or Cost()
        self._argon2 = PasswordHasher(
            time_cost=chosen.passes,
            memory_cost=chosen.memory,
            parallelism=chosen.lanes,
            salt_len=16,
            type=Type.ID,
        )
        self._slots = asyncio.Semaphore(slots)
        self._threads = ThreadPoolExecutor(slots, "hash", initializer=_lower_priority)
        self._metrics = metrics
        self._own = f"$argon2id$v=19$m={chosen.memory},t={chosen.passes},p={chosen.lanes}"
        # What the password of an unknown person is checked against: the same work, always wrong.
        self._decoys: dict[str, _Decoy] = {}
        self.schemes_in_force(())

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The names of the schemes in force: its own, then foreign ones, the costliest first."""
        return tuple(self._decoys)

    def schemes_in_force(self, names: Iterable[str]) -> None:
        """Replace the foreign schemes whose work a failure does; the own one is always in force.

        Takes the values of `users.password_scheme`; what cannot be verified is passed over, and of
        the others the eight costliest are kept.
        """
        foreign = sorted(_readable(names), key=lambda scheme: (-scheme.weight, scheme.name))
        kept = {scheme.name: scheme for scheme in foreign if scheme.name != self._own}
        wanted = [scheme_named(self._own), *list(kept.values())[:_MOST_FOREIGN]]
        # A decoy costs nothing to make: any salt and digest will do.
        self._decoys = {
            scheme.name: self._decoys.get(scheme.name) or _Decoy(scheme, scheme.decoy())
            for scheme in wanted
        }

    async def hash(self, password: str) -> str:
        """Return the PHC string of a password; raise HasherBusy."""
        return await self._work(lambda: self._hashed(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Say whether it is the password of a stored hash; raise HasherBusy.

        A failure takes as long when there is no hash, a foreign one, or one that cannot be
        verified: it does the work of every scheme in force once.
        """
        scheme = _scheme_or_none(stored)
        if scheme and scheme.name not in self._decoys:
            self.schemes_in_force((*self._decoys, scheme.name))
        decoys = tuple(self._decoys.values())
        return await self._work(lambda: self._verified(password, stored, scheme, decoys))

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made in another way than the one in force."""
        scheme = _scheme_or_none(stored)
        if scheme is None or scheme.name != self._own:
            return True
        return self._argon2.check_needs_rehash(stored)

    def _hashed(self, password: str) -> str:
        with self._timed("hash"):
            return self._argon2.hash(password)

    def _verified(
        self,
        password: str,
        stored: str | None,
        scheme: Scheme | None,
        decoys: Iterable[_Decoy],
    ) -> bool:
        if stored and scheme and self._matches(scheme, password, stored):
            return True
        done = scheme.name if scheme else None
        for decoy in decoys:
            if decoy.scheme.name != done:
                self._matches(decoy.scheme, password, decoy.stored)
        return False

    def _matches(self, scheme: Scheme, password: str, stored: str) -> bool:
        with self._timed("verify" if scheme.name == self._own else f"verify {scheme.family}"):
            return scheme.matches(password, stored)

    @contextmanager
    def _timed(self, op: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._metrics.hash_seconds.labels(op).observe(time.perf_counter() - started)

    async def _work(self, work: Callable[[], T]) -> T:
        self._metrics.hash_queue.inc()
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self._slots.acquire()
        except TimeoutError as error:
            raise HasherBusy(retry_after=2) from error
        finally:
            self._metrics.hash_queue.dec()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._slots.release()


def _readable(names: Iterable[str]) -> Iterator[Scheme]:
    for name in names:
        with suppress(UnsupportedHash):
            yield scheme_named(name)


def _scheme_or_none(stored: str | None) -> Scheme | None:
    try:
        return scheme_of(stored) if stored else None
    except UnsupportedHash:
        return None


def _lower_priority() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
