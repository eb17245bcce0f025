"""A process that forks the processes of tests, since one with threads and connections must not.

They import nothing anew, as those of `ops up` do not; like all children they end with their parent,
and it with the tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.child import Child, Spawn, ended, spawn
from ops.nursery import Nursery
from ops.up import FIRST, OTHERS
from tests.ops.stacks import ROOT

# Commands that tests run, beside what `ops up` starts.
_COMMANDS = ("ops", "workers.check")
_STREAMS = ("output", "input", "errors")
_LONGEST = 60_000


class Farborn:
    """A child of the other process, as `subprocess.Popen` is one of ours."""

    def __init__(self, nursery: "Forking", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        """Return its exit code if it has ended; what was left of its group is killed."""
        if self.returncode is None:
            self.returncode = self._nursery.code(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired when that takes too long."""
        deadline = time.monotonic() + (timeout or float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
            time.sleep(0.01)
        return code


class Forking:
    """The tests' side: asks for children by a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def start(self, module: str, arguments: Sequence[str], how: Spawn) -> Farborn:
        """Start `python -m module arguments`; the streams of `how` are numbers of open files."""
        given = {name: getattr(how, name) for name in _STREAMS}
        given = {name: number for name, number in given.items() if number >= 0}
        order = {
            "module": module,
            "arguments": arguments,
            "environment": dict(how.environment),
            "folder": str(how.folder),
            "streams": list(given),
        }
        return Farborn(self, self._asked(order, list(given.values())))

    def code(self, pid: int) -> int | None:
        """Return how a child ended, if it has."""
        found: int | None = self._asked({"ended": pid}, [])
        return found

    def _asked(self, order: dict[str, Any], descriptors: list[int]) -> Any:
        with self._lock:  # some tests wait in a thread
            socket.send_fds(self._connection, [json.dumps(order).encode()], descriptors)
            return json.loads(self._connection.recv(_LONGEST))


@contextmanager
def running_nursery() -> Iterator[Forking]:
    """Run the process that forks."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    how = Spawn(
        death_signal=signal.SIGKILL,
        environment=os.environ,
        folder=ROOT,
        output=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
        descriptors=(theirs.fileno(),),
    )
    process = spawn([sys.executable, "-m", "tests.nursery", str(theirs.fileno())], how)
    theirs.close()
    with ours:
        yield Forking(ours)
    process.wait()


def main() -> None:
    """Fork what is asked for until nobody can ask any more."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    nursery = Nursery()
    nursery.prepare(*FIRST, *OTHERS, *_COMMANDS)
    children: dict[int, Child] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, len(_STREAMS))
        if not message:
            return
        order = json.loads(message)
        if "ended" in order:
            child = children[order["ended"]]
            connection.send(json.dumps(child.returncode if ended(child) else None).encode())
            continue
        how = Spawn(
            death_signal=signal.SIGKILL,
            environment=order["environment"],
            folder=Path(order["folder"]),
            **dict(zip(order["streams"], descriptors, strict=True)),
        )
        child = nursery.start(order["module"], order["arguments"], how)
        for descriptor in descriptors:
            os.close(descriptor)
        children[child.pid] = child
        connection.send(json.dumps(child.pid).encode())


if __name__ == "__main__":
    main()
