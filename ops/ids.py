"""UUIDv7: identifiers that sort by the time they were made (RFC 9562, section 5.7)."""

import os
import threading
import time
from random import getrandbits
from uuid import UUID

_NANOSECONDS = 1_000_000
_VERSION, _VARIANT = 0x7 << 76, 0b10 << 62


class _Sequence:
    """The last time stamp handed out, so that two ids of one process never swap their order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        """Return milliseconds << 12 | a 12-bit fraction, strictly greater than the one before."""
        milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS)
        now = milliseconds << 12 | (rest << 12) // _NANOSECONDS
        with self._lock:
            self._last = max(now, self._last + 1)
            return self._last


_sequence = _Sequence()


def new_id() -> UUID:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, 12 bits of fraction, 62 random bits."""
    stamp = _sequence.next()
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | _VERSION | (stamp & 0xFFF) << 64 | _VARIANT | random
    return UUID(int=value)


def new_request_id() -> str:
    """Return what a request is known by: `req_` and the hexadecimal digits of a UUIDv7.

    Every request pays for it, and it opens nothing: its random bits are not those of a secret.
    """
    milliseconds, version = time.time_ns() // _NANOSECONDS, 0x7 << 12 | getrandbits(12)
    # In parts that are words of the processor: one number of 128 bits takes half as long again.
    return f"req_{milliseconds:012x}{version:04x}{_VARIANT | getrandbits(62):016x}"
