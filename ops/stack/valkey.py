"""A Redis-compatible server in a folder: append-only file, password, Unix socket only."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ops.stack.home import Place, Progress, StackError, moved_aside, write_private
from ops.stack.server import Server, end_orphans

PASSWORD = "redis"  # noqa: S105 - the name of the password, not the password

_STOPS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0))
_PROGRAMS = frozenset({"valkey-server", "redis-server"})
# What the server says when it refuses its append-only file, as opposed to any other failure.
_COMPLAINTS = ("append only file", "AOF", "Bad file format", "RDB", "rdb")

_CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
requirepass "{password}"
dir ./
daemonize no
set-proc-title no
databases 16
maxmemory 256mb
maxmemory-policy noeviction
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
hz 10
dynamic-hz yes
loglevel notice
"""


class Valkey:
    """The Redis-compatible server of a place."""

    def __init__(self, place: Place, program: Path, passwords: Mapping[str, str]) -> None:
        self.data = place.data / "redis"
        self.server = Server("redis", place, _STOPS)
        self._place = place
        self._program = program
        self._password = passwords[PASSWORD]
        self._socket = place.sockets / "redis.sock"

    @property
    def url(self) -> str:
        """Return the address as redis-py's from_url reads it."""
        return f"unix://:{quote(self._password, safe='')}@{quote(str(self._socket))}"

    def launch(self, progress: Progress) -> None:
        """Start the server on what its append-only file holds."""
        self._place.folder("redis")
        end_orphans(self.data, _PROGRAMS, _STOPS, progress)
        config = self.data / "redis.conf"
        text = _CONFIG.format(socket=self._socket, password=self._password)
        write_private(config, text, self._place.account)
        self.server.launch([self._program, config], self.data)

    def await_ready(self, progress: Progress) -> None:
        """Wait until it answers; a damaged append-only file is put aside, and it starts empty."""
        try:
            self._await_pong(progress)
        except StackError:
            appended = self.data / "appendonlydir"
            if not appended.exists() or not self._refused_its_file():
                raise
            aside = moved_aside(appended, "damaged")
            progress(
                f"Redis could not read its file, now kept in {aside}, and starts empty:"
                " nothing is lost, PostgreSQL holds the truth"
            )
            self.launch(progress)
            self._await_pong(progress)

    def _await_pong(self, progress: Progress) -> None:
        self.server.await_ready(
            self._answers, lambda: progress("Redis is reading its append-only file")
        )

    def _refused_its_file(self) -> bool:
        last = " ".join(self.server.log.tail(600))
        return any(complaint in last for complaint in _COMPLAINTS)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b"".join(iter(lambda: connection.recv(256), b""))
            except OSError:
                return False
        # While it loads its file it answers -LOADING.
        return b"+PONG" in answer
