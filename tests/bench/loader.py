"""Asks a server from a process of its own, over keep-alive connections: `python -m ... FILE N S`.

Nothing new is asked after S seconds, and what was asked is waited for: every request that costs
the server something is counted. Ends with one JSON line, as wrk.lua does.
"""

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

import uvloop

from tests.bench.asked import Answered, Load, from_json, percentile

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_WORDS = 200

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class _Tally:
    """What all connections have seen."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    broken: int = 0
    why: str = ""


async def ask(load: Load, *, at_once: int, seconds: float) -> Answered:
    """Ask over so many connections."""
    tally, turns = _Tally(), count()
    begun = time.perf_counter()
    until = begun + seconds
    tokens = [*load.tokens, *[""] * at_once][:at_once]
    await asyncio.gather(*(_connection(load, token, turns, until, tally) for token in tokens))
    took = time.perf_counter() - begun
    tally.latencies.sort()
    return Answered(
        requests=len(tally.latencies),
        seconds=took,
        p50=percentile(tally.latencies, 0.5) * 1000,
        p99=percentile(tally.latencies, 0.99) * 1000,
        refused=tally.refused,
        broken=tally.broken,
        why=tally.why,
    )


async def _connection(
    load: Load, token: str, turns: "count[int]", until: float, tally: _Tally
) -> None:
    following = re.compile(rb'"%b": *"([^"]+)"' % load.chain.encode()) if load.chain else None
    streams: Streams | None = None
    while time.perf_counter() < until:
        streams = streams or await asyncio.open_connection("127.0.0.1", load.port)
        request = load.requests[next(turns) % len(load.requests)].raw(load.host, token)
        begun = time.perf_counter()
        try:
            head, body = await _answer(streams, request)
        except (OSError, asyncio.IncompleteReadError) as error:
            tally.broken, tally.why, streams = tally.broken + 1, repr(error), None
            continue
        tally.latencies.append(time.perf_counter() - begun)
        if not head.startswith(b"HTTP/1.1 2"):
            tally.refused, tally.why = tally.refused + 1, (head + body)[-_WORDS:].decode()
        if following and (found := following.search(body)):
            token = found[1].decode()
        if _CLOSES.search(head):
            await _close(streams)
            streams = None
    if streams:
        await _close(streams)


async def _answer(streams: Streams, request: bytes) -> tuple[bytes, bytes]:
    reader, writer = streams
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if length := _LENGTH.search(head):
        return head, await reader.readexactly(int(length[1]))
    if not _CHUNKED.search(head):
        return head, b""
    body = b""
    while size := int((await reader.readuntil(b"\r\n")), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return head, body


async def _close(streams: Streams) -> None:
    streams[1].close()
    with suppress(OSError):
        await streams[1].wait_closed()


def main() -> None:
    """Ask, and tell."""
    load = from_json(Path(sys.argv[1]).read_text())
    work = ask(load, at_once=int(sys.argv[2]), seconds=float(sys.argv[3]))
    sys.stdout.write(f"{json.dumps(asdict(uvloop.run(work)))}\n")


if __name__ == "__main__":
    main()
