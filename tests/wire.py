"""Stands on the wires to PostgreSQL and Redis and counts what goes by, whoever sent it.

A round trip is a question whose answer came: several messages sent before the first answer are
one. Our own metrics have no part in it, so what goes past them is counted too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from ops.settings import Settings

_QUIET_SECONDS = 0.03
# A client's first message has no letter for its kind, only a length.
_LENGTH = 4
_HEAD = 5
_PARSE, _BIND, _EXECUTE, _QUERY = b"PBEQ"


@dataclass(slots=True)
class Count:
    """What went over a wire: round trips, and what was asked in them, one text each."""

    trips: int = 0
    asked: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    """What a client has sent of messages that are not whole yet."""

    count: Count
    waits: bool = False
    rest: bytearray = field(default_factory=bytearray)

    def sent(self, data: bytes) -> None:
        """Take in what the client sent."""
        self.waits = True
        self.rest += data
        while taken := self.take():
            del self.rest[:taken]

    def answered(self) -> None:
        """Take in that the server sent something."""
        self.count.trips += self.waits
        self.waits = False

    def take(self) -> int:
        """Take down one whole message at the beginning of the rest; return its length, or 0."""
        raise NotImplementedError


@dataclass(slots=True)
class _PostgresReader(_Reader):
    begun: bool = False
    statements: dict[bytes, bytes] = field(default_factory=dict)
    bound: bytes = b""

    def take(self) -> int:
        head = _HEAD if self.begun else _LENGTH
        if len(self.rest) < head:
            return 0
        length = int.from_bytes(self.rest[head - _LENGTH : head]) + head - _LENGTH
        if len(self.rest) < length:
            return 0
        if self.begun:
            self._note(self.rest[0], bytes(self.rest[head:length]).split(b"\0"))
        self.begun = True
        return length

    def _note(self, kind: int, parts: list[bytes]) -> None:
        if kind == _PARSE:
            self.statements[parts[0]] = parts[1]
        elif kind == _BIND:
            self.bound = self.statements.get(parts[1], b"?")
        elif kind in (_EXECUTE, _QUERY):
            text = self.bound if kind == _EXECUTE else parts[0]
            self.count.asked.append(" ".join(text.decode().split()))


@dataclass(slots=True)
class _RedisReader(_Reader):
    def take(self) -> int:
        lines = bytes(self.rest).split(b"\r\n")
        if len(lines) == 1:
            return 0
        words, at = [], len(lines[0]) + 2
        for _ in range(int(lines[0][1:])):
            end = self.rest.find(b"\r\n", at)
            size = int(self.rest[at + 1 : end]) if end >= 0 else 0
            begin, at = end + 2, end + size + 4
            if end < 0 or len(self.rest) < at:
                return 0
            words.append(bytes(self.rest[begin : begin + size]))
        text = b" ".join(words).decode(errors="replace")
        self.count.asked.append(" ".join(text.split()))
        return at


class Wires:
    """Settings that lead past us, and the counts of both wires."""

    def __init__(self, settings: dict[str, str], postgres: Count, redis: Count) -> None:
        self.settings = settings
        self.postgres = postgres
        self.redis = redis

    async def quiet(self) -> None:
        """Return once nothing has gone by for a moment: answers may leave before the work ends."""
        seen = -1
        while seen != self._total():
            seen = self._total()
            await asyncio.sleep(_QUIET_SECONDS)

    def clear(self) -> None:
        """Count from 0 again."""
        for count in (self.postgres, self.redis):
            count.trips = 0
            count.asked.clear()

    def _total(self) -> int:
        return sum(count.trips + len(count.asked) for count in (self.postgres, self.redis))


@asynccontextmanager
async def wires(settings: Settings) -> AsyncIterator[Wires]:
    """Stand between the servers of some settings and whoever uses `Wires.settings`."""
    database, redis = urlsplit(settings.database_url), urlsplit(settings.redis_url)
    sockets = unquote(database.query.partition("host=")[2])
    counts = Count(), Count()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="ost-wire-"))
        name = ".s.PGSQL.5432"
        through = [
            (Path(sockets, name), Path(folder, name), lambda: _PostgresReader(counts[0])),
            (Path(unquote(redis.path)), Path(folder, "redis"), lambda: _RedisReader(counts[1])),
        ]
        for server, ours, reader in through:
            await stack.enter_async_context(_standing(server, ours, reader))
        urls = {
            item: urlsplit(getattr(settings, item))._replace(query=f"host={folder}").geturl()
            for item in ("database_url", "worker_database_url")
        }
        redis_url = redis._replace(path=f"{folder}/redis").geturl()
        yield Wires(urls | {"redis_url": redis_url}, *counts)


@asynccontextmanager
async def _standing(
    server: Path, ours: Path, make_reader: Callable[[], _Reader]
) -> AsyncIterator[None]:
    open_writers: set[asyncio.StreamWriter] = set()

    async def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        answers, to_server = await asyncio.open_unix_connection(server)
        open_writers.update((to_client, to_server))
        reader = make_reader()
        await asyncio.gather(
            _pump(client, to_server, reader.sent),
            _pump(answers, to_client, lambda _: reader.answered()),
        )

    listening = await asyncio.start_unix_server(accept, ours)
    try:
        yield
    finally:
        listening.close()
        for writer in open_writers:
            writer.close()


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, note: Callable[[bytes], None]
) -> None:
    while data := await source.read(65_536):
        note(data)
        target.write(data)
    target.close()
