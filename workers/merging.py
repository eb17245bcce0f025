"""Merges what many jobs ask of the database at once into one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MOST = 256


class Merged(Generic[K, V]):
    """Carries out alone what is asked alone, and together what is asked while that is under way.

    Nobody waits for others to come: idle it costs no time, busy it saves round trips and commits.
    """

    def __init__(self, carry_out: Callable[[list[K]], Awaitable[Sequence[V]]]) -> None:
        self._carry_out = carry_out
        self._asked: list[tuple[K, asyncio.Future[V]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, what: K) -> V:
        """Return the answer to `what`; raise what carrying out the batch raised."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._asked.append((what, answer))
        if self._working is None:
            # A batch is of many: who asked first must not have it all in their trace and lines.
            self._working = asyncio.create_task(self._work(), context=Context())
        return await answer

    async def _work(self) -> None:
        while self._asked:
            batch, self._asked = self._asked[:_MOST], self._asked[_MOST:]
            try:
                answers = await self._carry_out([what for what, _ in batch])
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for (_, answer), value in zip(batch, answers, strict=True):
                    if not answer.done():  # who asked may have been cancelled
                        answer.set_result(value)
        self._working = None
