"""Batches: what many requests ask for at the same moment is asked of a server once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from ops import tracing
from ops.tracing import Kind

Asked = TypeVar("Asked")
Found = TypeVar("Found")

_MOST = 200


class Batches(Generic[Asked, Found]):
    """Does at once what is asked for in one turn of the loop, or while a batch is under way.

    Nobody waits for company: who comes alone is served alone, and at once. `work` gives as many
    answers as it was given questions, in their order; what it raises, all of them raise. It must
    not wait for what any single one of them may hold, such as the lock of a row. An `operation` is
    the name of a statement, a step in the traces of all who ask.
    """

    def __init__(
        self, work: Callable[[Sequence[Asked]], Awaitable[Sequence[Found]]], *, operation: str = ""
    ) -> None:
        self._operation = operation
        self._work = work
        self._waiting: list[tuple[Asked, asyncio.Future[Found]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Found:
        """Return the answer to one question; the work begins after it was asked, never before."""
        worker, started = self._worker, time.perf_counter()
        # The loop's own question which one is running costs a system call.
        loop = worker.get_loop() if worker else asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((asked, future))
        if worker is None:
            # In nobody's context: it does not belong to the trace and log of who happened to start.
            self._worker = loop.create_task(self._serve(), context=Context())
        try:
            return await future
        finally:
            if self._operation and tracing.current():
                facts = {"db.system.name": "postgresql", "db.query.summary": self._operation}
                seconds = time.perf_counter() - started
                tracing.note(self._operation, kind=Kind.CLIENT, attributes=facts, seconds=seconds)

    async def _serve(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._do(batch)
        finally:
            self._worker = None

    async def _do(self, batch: Sequence[tuple[Asked, asyncio.Future[Found]]]) -> None:
        try:
            found = await self._work([asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, found, strict=True):
            if not future.done():  # who asked may have gone meanwhile
                future.set_result(answer)
