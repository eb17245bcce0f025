"""What is looked at again and again: memory, files, connections, tables, Redis."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
import redis

_BYTES_PER_MEGABYTE = 1_000_000
_SIZES = """
SELECT relname, pg_relation_size(oid) AS heap, pg_indexes_size(oid) AS indexes
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
_OPEN = "SELECT count(*) FROM outbox WHERE state IN ('pending', 'handed_over')"


@dataclass(slots=True)
class Series:
    """Values by name, each a list of (second, value)."""

    values: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, second: float, found: Mapping[str, float]) -> None:
        """Note what was found at a second."""
        for name, value in found.items():
            self.values.setdefault(name, []).append((second, value))

    def slope(self, name: str, *, since: float) -> float:
        """Return the growth a second from then on: the median of all slopes (Theil and Sen)."""
        points = [point for point in self.values[name] if point[0] >= since]
        slopes = sorted(
            (later[1] - earlier[1]) / (later[0] - earlier[0])
            for place, earlier in enumerate(points)
            for later in points[place + 1 :]
        )
        return slopes[len(slopes) // 2] if slopes else 0.0


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks at a running installation from outside."""

    home: Path
    pid: int

    async def look(self) -> dict[str, float]:
        """Return every figure by its name; memory and sizes in megabytes."""
        return self._processes() | self._redis() | await self._database()

    def _address(self, name: str) -> str:
        lines = (self.home / "run" / "stack.env").read_text().splitlines()
        [address] = [line for line in lines if line.startswith(f"{name}=")]
        return address.partition("=")[2]

    def _processes(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for process in psutil.Process(self.pid).children(recursive=True):
            try:
                label = _label(process)
                memory = process.memory_full_info().uss / _BYTES_PER_MEGABYTE
                files = process.num_fds()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            for name, value in (("memory", memory), ("files", float(files))):
                found[f"{name} {label}"] = found.get(f"{name} {label}", 0.0) + value
        return found

    def _redis(self) -> dict[str, float]:
        with redis.Redis.from_url(self._address("REDIS_URL")) as client:
            used = float(client.info("memory")["used_memory"])
            return {"memory in redis": used / _BYTES_PER_MEGABYTE, "keys in redis": client.dbsize()}

    async def _database(self) -> dict[str, float]:
        connection = await asyncpg.connect(self._address("MIGRATION_DATABASE_URL"), timeout=5)
        try:
            found = {
                "connections to postgres": float(await connection.fetchval(_CONNECTIONS)),
                "open promises": float(await connection.fetchval(_OPEN)),
            }
            for table, heap, indexes in await connection.fetch(_SIZES):
                found[f"table {table}"] = heap / _BYTES_PER_MEGABYTE
                found[f"indexes of {table}"] = indexes / _BYTES_PER_MEGABYTE
        finally:
            await connection.close()
        return found


def _label(process: psutil.Process) -> str:
    """Name a process: what follows -m, and the queues; a server by its program."""
    command = _words(process)
    if "-m" not in command:
        return str(process.name())
    given = command[command.index("-m") + 1 :]
    words = [word for word in given if not word.startswith("-") and not word.isdigit()]
    master = any("-m" in _words(child) for child in process.children())
    return " ".join(words) + (" (master)" if master else "")


def _words(process: psutil.Process) -> list[str]:
    """Give the words of a command line, which of a forked process is one word."""
    return " ".join(process.cmdline()).split()


def seconds_since(begun: float) -> float:
    """Return the seconds since a moment of time.monotonic()."""
    return time.monotonic() - begun
