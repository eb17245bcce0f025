"""What the tests of the stack share: folders, questions to servers, a stack in another process."""

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import redis

from ops.child import Account
from ops.stack import Addresses, binaries

# Many small servers at once: none needs the share of memory that one alone takes.
FAST = {"fsync": "off", "shared_buffers": "64MB"}
ROOT = Path(__file__).parents[2]
_ROOMY = 6 * 1024**3

HOLD = """
import json, os, sys, time
from pathlib import Path
from ops.stack import Stack, StackError, binaries, home, postgres, server, valkey
bin, program, uid, gid = sys.argv[2:]
if int(uid):
    # Imports are done as root: the account may be unable to read where this Python lies.
    os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))
stack = Stack(Path(sys.argv[1]), settings={"fsync": "off"}, postgres_bin=Path(bin),
              redis_server=Path(program))
try:
    addresses = stack.start()
except StackError as error:
    sys.exit(str(error))
print(json.dumps({"pids": stack.pids, "url": addresses.migration_database_url}), flush=True)
sys.stdin.readline()
stack.stop()
"""


def servers_account() -> Account | None:
    """Name the account the servers run as when we are root."""
    if os.geteuid():
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def ask(url: str | None, *statements: str) -> Any:
    """Run the statements as one role and return the last one's value."""

    async def asking() -> Any:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asking())
    finally:
        # Whoever was refused has closed the socket; the loop has yet to hear of it.
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def urls(at: Addresses) -> list[str | None]:
    """Return one address of each server."""
    return [at.database_url, at.redis_url]


def ping(url: str | None) -> bool:
    """Ask Redis whether it is there."""
    with redis.Redis.from_url(str(url)) as client:
        return bool(client.ping())


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody reaps has."""
    if Path("/proc/self/stat").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
        except (FileNotFoundError, ProcessLookupError):
            return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return state.stdout.strip()[:1] in (b"", b"Z")


def command_lines(pids: Iterable[int]) -> bytes:
    """Return the command lines of processes, as everybody on the machine can read them."""
    if Path("/proc/self/cmdline").exists():
        return b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
    chosen = ",".join(map(str, pids))
    listing = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", chosen], capture_output=True, check=True
    )
    return listing.stdout


def wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to become so, and fail when it does not; a busy machine takes its time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def hold(home: Path, user: Account | None = None) -> subprocess.Popen[str]:
    """Run a stack in another process until it reads a line."""
    programs = binaries.postgres(None, user or servers_account()).folder
    server = binaries.valkey(None, user or servers_account())
    ids = [str(user.uid), str(user.gid)] if user else ["0", "0"]
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), str(programs), str(server), *ids],
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(holder: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the stack in the other process says once it runs."""
    assert holder.stdout is not None
    told: dict[str, Any] = json.loads(holder.stdout.readline())
    return told


def _in_memory() -> Path | None:
    """Return a file system without a disk, where there is one with room for all homes of a run.

    A disk that others keep busy takes seconds for what a server has to know is written.
    """
    folder = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return folder if shutil.disk_usage(folder).free >= _ROOMY else None
    return None


@contextmanager
def open_room(*, on_disk: bool = False) -> Iterator[Path]:
    """Make a folder which every account can enter, unlike pytest's own.

    What is measured there has to be on a disk, as it is in life.
    """
    folder = Path(tempfile.mkdtemp(prefix="ost-", dir=None if on_disk else _in_memory()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
