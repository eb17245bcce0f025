"""When lines leave: together after a turn of the loop, at once where that may not come."""

import asyncio
import io
from collections.abc import Iterator

import pytest

from ops.logging import get_logger, log_line, set_up
from ops.settings import load


class Pieces(io.RawIOBase):
    """An output that keeps every write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, piece: object) -> int:
        """Keep what was written at once."""
        self.pieces.append(bytes(piece))  # type: ignore[call-overload]
        return len(self.pieces[-1])


@pytest.fixture
def pieces() -> Iterator[Pieces]:
    """Log to an output that keeps every write apart."""
    raw = Pieces()
    output = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    set_up(load({"LOG_FORMAT": "json"}, strict=False), process="test", output=output)
    yield raw
    set_up(load({"LOG_FORMAT": "json"}, strict=False), process="test")


def tell(event: str, *, level: str = "info") -> None:
    log_line(event, category="application", level=level)


async def test_lines_of_one_turn_leave_in_one_piece_when_it_ends(pieces: Pieces) -> None:
    for number in range(10):
        tell(f"line {number}")
    during = list(pieces.pieces)
    await asyncio.sleep(0)

    assert during == []
    assert [piece.count(b"\n") for piece in pieces.pieces] == [10]


async def test_no_piece_is_longer_than_a_pipe_takes_at_once(pieces: Pieces) -> None:
    for number in range(200):
        tell(f"line {number} {'.' * 300}")
    await asyncio.sleep(0)

    assert all(len(piece) <= 4096 and piece.endswith(b"\n") for piece in pieces.pieces)
    assert b"".join(pieces.pieces).count(b"\n") == 200


async def test_an_error_leaves_at_once_and_takes_along_what_was_said_before(
    pieces: Pieces,
) -> None:
    tell("before")
    get_logger().error("it failed")

    assert [piece.count(b"\n") for piece in pieces.pieces] == [2]


def test_without_a_loop_every_line_leaves_at_once(pieces: Pieces) -> None:
    tell("one")
    tell("two")

    assert len(pieces.pieces) == 2


def test_a_loop_that_was_stopped_before_its_turn_ended_holds_back_nobodys_lines(
    pieces: Pieces,
) -> None:
    async def say_and_stop() -> None:
        tell("of a loop that stops")
        asyncio.get_running_loop().stop()

    stopped = asyncio.new_event_loop()
    told = stopped.create_task(say_and_stop())
    stopped.run_forever()
    tell("afterwards")
    asyncio.run(asyncio.to_thread(tell, "in a thread"))
    stopped.run_until_complete(told)
    stopped.close()

    assert b"".join(pieces.pieces).count(b"\n") == 3
