"""Argon2id, bounded: a few threads of low priority, a short queue, and an early no (SECURITY C1).

Each hash takes 19 MiB and some 30 ms of a core without holding the GIL; more threads than cores
gain nothing and slow everybody else down.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError, VerificationError
from argon2.low_level import Type

from ops.errors import Kind, Unavailable
from ops.metrics import Metrics

T = TypeVar("T")

_NICENESS = 10
_LONGEST_WAIT = 1.5


class HasherBusy(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """Too many people are signing in just now. Try again in a moment."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id parameters: KiB of memory, passes, lanes. The default is OWASP's first choice."""

    memory: int = 19_456
    passes: int = 2
    lanes: int = 1


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
        # What the password of an unknown person is checked against: the same work, always wrong.
        self._nobody = self._argon2.hash(os.urandom(16).hex())

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return the PHC string of a password; raise HasherBusy."""
        return await self._work("hash", lambda: self._argon2.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Say whether it is the password of a PHC string; takes as long when there is none."""
        return await self._work("verify", lambda: self._matches(password, stored)) and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made with other parameters than those in force."""
        return self._argon2.check_needs_rehash(stored)

    def _matches(self, password: str, stored: str | None) -> bool:
        try:
            return self._argon2.verify(stored or self._nobody, password)
        except (Argon2Error, VerificationError, InvalidHashError):
            return False

    async def _work(self, op: str, work: Callable[[], T]) -> T:
        self._metrics.hash_queue.inc()
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self._slots.acquire()
        except TimeoutError as error:
            raise HasherBusy(retry_after=2) from error
        finally:
            self._metrics.hash_queue.dec()
        try:
            started = time.perf_counter()
            result = await asyncio.get_running_loop().run_in_executor(self._threads, work)
            self._metrics.hash_seconds.labels(op).observe(time.perf_counter() - started)
            return result
        finally:
            self._slots.release()


def _lower_priority() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
