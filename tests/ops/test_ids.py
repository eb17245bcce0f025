"""UUIDv7: sorted by time, unique across threads, unmoved by a clock that goes back."""

import runpy
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import time_machine

from ops import ids
from ops.ids import new_id, new_request_id


def made(count: int) -> list[UUID]:
    """Make so many ids."""
    return [new_id() for _ in range(count)]


def test_ids_carry_version_variant_and_the_time() -> None:
    anew = runpy.run_path(ids.__file__)["new_id"]  # no clock was ahead since it began
    before = time.time_ns() // 1_000_000

    made_anew = [anew() for _ in range(100)]

    after = time.time_ns() // 1_000_000
    for item in made_anew:
        assert (item.version, item.variant) == (7, "specified in RFC 4122")
        assert before <= item.int >> 80 <= after + 1


def test_ids_of_requests_are_the_digits_of_as_many_different_ones() -> None:
    before = time.time_ns() // 1_000_000

    made_anew = [new_request_id() for _ in range(1_000)]

    after = time.time_ns() // 1_000_000
    assert len(set(made_anew)) == 1_000
    for item in made_anew:
        found = UUID(item.removeprefix("req_"))
        assert item == f"req_{found.hex}"
        assert (found.version, found.variant) == (7, "specified in RFC 4122")
        assert before <= found.int >> 80 <= after


def test_ids_of_one_process_sort_in_the_order_they_were_made() -> None:
    ids = made(20_000)

    assert ids == sorted(ids)
    assert [str(item) for item in ids] == sorted(str(item) for item in ids)


def test_a_hundred_thousand_ids_of_eight_threads_are_unique_and_sorted_in_each() -> None:
    with ThreadPoolExecutor(8) as threads:
        batches = list(threads.map(made, [12_500] * 8))

    assert len({item for batch in batches for item in batch}) == 100_000
    assert all(batch == sorted(batch) for batch in batches)


def test_a_clock_that_goes_back_by_an_hour_turns_no_order_around() -> None:
    first = made(10)
    with time_machine.travel(time.time() - 3600):
        later = made(1_000)
    after = made(10)

    every = [*first, *later, *after]
    assert every == sorted(every)
    assert len(set(every)) == len(every)


def test_random_bits_differ_among_ids_of_one_moment() -> None:
    ids = made(1_000)

    assert len({item.int & (1 << 62) - 1 for item in ids}) == 1_000
