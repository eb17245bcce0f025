"""Embedded PostgreSQL and Redis in a folder, started and stopped.

The servers are those of wheels, or of the system; they listen on Unix sockets only, with random
passwords kept in the folder, and they end with the process that started them, even when that is
killed. They are as durable as any installation: fsync stays on.

    home/lock             held while the servers run; names who runs them
    home/passwords.json   of the database's roles and of Redis; keep it with the data
    home/postgres, home/redis, home/sockets, home/log
    home/servers          when the servers' account cannot enter the home: where those four lie
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ops.stack import binaries
from ops.stack.home import (
    Place,
    StackError,
    check_is_ours,
    lock,
    own_folder,
    passwords,
    plain_words,
    prepare,
)
from ops.stack.postgres import API, MONITOR, OWNER, ROLES, WORKER, Postgres, check_passwords
from ops.stack.server import Server
from ops.stack.valkey import PASSWORD, Valkey

__all__ = ["Addresses", "Stack", "StackError"]

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the started servers are reached, passwords included; None for one not asked for."""

    database_url: str | None = field(default=None, repr=False)
    worker_database_url: str | None = field(default=None, repr=False)
    migration_database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)


class Stack:
    """The servers of one home; start it from the thread that lives longest (see ops.child)."""

    def __init__(  # noqa: PLR0913 - it is wired in one place, by keywords
        self,
        home: Path,
        *,
        postgres: bool = True,
        redis: bool = True,
        settings: Mapping[str, str] = _NO_SETTINGS,
        postgres_bin: Path | None = None,
        redis_server: Path | None = None,
    ) -> None:
        self.found: list[str] = []
        self._home = home.resolve()
        self._wants_postgres = postgres
        self._wants_redis = redis
        self._settings = settings
        self._postgres_bin = postgres_bin
        self._redis_server = redis_server
        self._place: Place | None = None
        self._postgres: Postgres | None = None
        self._redis: Valkey | None = None
        self._locks: list[int] = []

    def start(
        self,
        progress: Callable[[str], None] = lambda _: None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Addresses:
        """Start what is asked for and wait until it answers; StackError when it cannot be.

        What an earlier start left is used again, and told in `found`. `progress` gets a line for
        each thing that takes long or that somebody ought to know. `meanwhile` is called while the
        servers start.
        """
        if self._locks:
            raise StackError("This stack is started already: stop it first.")
        try:
            with plain_words(self._home):
                self._place = self._take_home(progress)
                self._launch(self._place, progress, meanwhile)
            return self._addresses()
        except BaseException:
            self.stop()
            raise

    @property
    def data(self) -> Path | None:
        """Where the servers keep their files: the home, or a folder of /var/lib/ostiary."""
        return self._place.data if self._place else None

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running servers, by name (postgres, redis)."""
        return {server.name: server.pid for server in self._servers() if server.pid}

    def monitor_url(self) -> str | None:
        """Let a role in that sees PostgreSQL's statistics and no rows; return its address.

        None without a PostgreSQL of ours; StackError when it refuses.
        """
        if self._postgres is None:
            return None
        self._postgres.admit_monitor()
        return self._postgres.url(MONITOR)

    def check(self) -> list[str]:
        """Name the servers which ended by themselves; call it now and then (it trims logs too)."""
        for server in self._servers():
            server.log.trim()
        return [server.name for server in self._servers() if server.died]

    def revive(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Start the servers again that ended by themselves; StackError when one cannot be."""
        with plain_words(self._home):
            for part in (self._postgres, self._redis):
                if part and part.server.died:
                    part.launch(progress)
                    part.await_ready(progress)

    def stop(self) -> None:
        """Stop the servers, which takes a tenth of a second when nothing is wrong.

        Safe to call twice, and after a start that failed.
        """
        for server in self._servers():
            server.tell_to_stop()
        for server in self._servers():
            server.await_stop()
        self._postgres = self._redis = None
        while self._locks:
            os.close(self._locks.pop())

    def _take_home(self, progress: Callable[[str], None]) -> Place:
        check_is_ours(self._home)
        if not self._home.exists():
            own_folder(self._home, None)
        self._locks.append(lock(self._home))
        place = prepare(self._home, progress)
        if place.data != self._home:  # Two homes may lead there when one was copied.
            self._locks.append(lock(place.data))
        return place

    def _launch(
        self, place: Place, progress: Callable[[str], None], meanwhile: Callable[[], None]
    ) -> None:
        check_passwords(place)
        self._look_around(place)
        known = passwords(self._home, (*ROLES, PASSWORD))
        if self._wants_postgres:
            programs = binaries.postgres(self._postgres_bin, place.account)
            self._postgres = Postgres(place, programs, passwords=known, settings=self._settings)
        if self._wants_redis:
            program = binaries.valkey(self._redis_server, place.account)
            self._redis = Valkey(place, program, known)
            self._redis.launch(progress)
        if self._postgres:
            self._postgres.launch(progress, meanwhile)
            self._postgres.await_ready(progress)
        else:
            meanwhile()
        if self._redis:
            self._redis.await_ready(progress)

    def _look_around(self, place: Place) -> None:
        self.found.clear()
        version = place.data / "postgres" / "PG_VERSION"
        if self._wants_postgres and version.exists():
            made = time.strftime("%Y-%m-%d", time.localtime(version.stat().st_mtime))
            name = f"PostgreSQL {version.read_text().strip()}"
            self.found.append(f"{name} data from {made}, {_size(version.parent)}")
        appended = place.data / "redis" / "appendonlydir"
        if self._wants_redis and appended.exists():
            self.found.append(f"Redis data, {_size(appended)}")

    def _addresses(self) -> Addresses:
        postgres, redis = self._postgres, self._redis
        return Addresses(
            database_url=postgres.url(API) if postgres else None,
            worker_database_url=postgres.url(WORKER) if postgres else None,
            migration_database_url=postgres.url(OWNER) if postgres else None,
            redis_url=redis.url if redis else None,
        )

    def _servers(self) -> list[Server]:
        return [part.server for part in (self._postgres, self._redis) if part]


def _size(folder: Path) -> str:
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    return f"{max(1, round(size / 1_000_000))} MB"
