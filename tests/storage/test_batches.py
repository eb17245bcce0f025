"""Batches: one piece of work for many, and each gets their own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from storage.batches import Batches


class Work:
    """Doubles numbers, as often as it is told to go on; refuses 13."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.go_on = asyncio.Semaphore(0)
        self.batches = Batches[int, int](self)

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        """Answer one batch."""
        self.seen.append([*numbers])
        await self.go_on.acquire()
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]

    def asking(self, number: int) -> "asyncio.Task[int]":
        """Ask, and go on with something else."""
        return asyncio.create_task(self.batches.ask(number))


async def turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_turn_is_one_work_with_an_answer_each() -> None:
    work = Work()
    work.go_on.release()

    answers = await asyncio.gather(*map(work.batches.ask, [3, 1, 3, 2]))

    assert answers == [6, 2, 6, 4]
    assert work.seen == [[3, 1, 3, 2]]


async def test_what_is_asked_while_others_work_begins_after_it_was_asked() -> None:
    work = Work()
    first = work.asking(1)
    await turns()
    later = [work.asking(2), work.asking(3)]
    await turns()
    seen_meanwhile = [*work.seen]

    work.go_on.release()
    work.go_on.release()

    assert [await first, *[await task for task in later]] == [2, 4, 6]
    assert seen_meanwhile == [[1]]
    assert work.seen == [[1], [2, 3]]


async def test_a_failure_is_told_to_all_of_its_batch_and_to_nobody_after() -> None:
    work = Work()
    failing = [work.asking(13), work.asking(1)]
    await turns()
    after = work.asking(4)
    await turns()

    work.go_on.release()
    work.go_on.release()

    for task in failing:
        with pytest.raises(ValueError, match="13"):
            await task
    assert await after == 8


async def test_who_leaves_before_the_answer_keeps_nobody_from_theirs() -> None:
    work = Work()
    leaving, staying = work.asking(1), work.asking(2)
    await turns()

    leaving.cancel()
    work.go_on.release()

    assert await staying == 4
    assert leaving.cancelled()
