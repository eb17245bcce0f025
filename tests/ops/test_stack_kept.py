"""What the embedded servers keep: rows and jobs through an accident, secrets out of their logs."""

import asyncio
import os
import re
import signal
import subprocess
from pathlib import Path

import asyncpg
import pytest
import redis

from ops.child import Spawn, spawn
from ops.stack import Addresses, Stack, StackError
from ops.stack.home import lock
from ops.stack.server import Log
from tests.ops.stacks import ask, ping, servers_account

_PLAIN = {"PATH", "LC_ALL", "TZ"}


def appended(stack: Stack) -> Path:
    """Return where Redis appends."""
    assert stack.data is not None
    return stack.data / "redis" / "appendonlydir"


def test_a_lock_names_its_holder_whoever_held_it_before(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4194303999999\n")
    held = lock(tmp_path)
    try:
        with pytest.raises(StackError, match=f"stop it with `kill {os.getpid()}`"):
            lock(tmp_path)
    finally:
        os.close(held)


def test_a_stack_that_is_started_again_while_it_runs_goes_on(
    running: tuple[Stack, Addresses],
) -> None:
    stack, at = running

    with pytest.raises(StackError, match="started already"):
        stack.start()

    assert ping(at.redis_url)
    assert ask(at.database_url, "SELECT 1") == 1


def test_what_was_written_last_may_be_cut_and_all_before_is_there(room: Path) -> None:
    stack = Stack(room / "home", postgres=False)
    with redis.Redis.from_url(str(stack.start().redis_url)) as client:
        client.set("kept", "yes")
        client.set("cut", "no")
        synced = client.config_get("appendfsync")
    stack.stop()
    (file,) = appended(stack).glob("*.incr.aof")
    os.truncate(file, file.stat().st_size - 3)

    with redis.Redis.from_url(str(stack.start().redis_url)) as client:
        values = client.mget("kept", "cut")
    stack.stop()

    assert synced == {"appendfsync": "everysec"}
    assert values == [b"yes", None]


def test_a_redis_that_cannot_start_for_another_reason_keeps_its_file(room: Path) -> None:
    stack = Stack(room / "home", postgres=False)
    with redis.Redis.from_url(str(stack.start().redis_url)) as client:
        client.set("kept", "yes")
    stack.stop()
    assert stack.data is not None
    (stack.data / "sockets" / "redis.sock").mkdir()

    with pytest.raises(StackError, match="redis ended while it started"):
        stack.start()

    assert list(appended(stack).iterdir())
    assert not list(appended(stack).parent.glob("*.damaged-*"))


def test_who_is_connected_keeps_no_server_from_ending_cleanly(room: Path) -> None:
    stack = Stack(room / "home", redis=False)
    url = str(stack.start().database_url)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        connection = runner.run(asyncpg.connect(url))
        stack.stop()
        connection.terminate()
        runner.run(asyncio.sleep(0))

    stack.start()
    assert stack.data is not None
    said = (stack.data / "log" / "postgres.log").read_text()
    stack.stop()

    assert "received fast shutdown request" in said
    assert "not properly shut down" not in said


def test_the_log_holds_no_value_that_was_bound(running: tuple[Stack, Addresses]) -> None:
    stack, at = running
    ask(at.migration_database_url, "CREATE TABLE addresses (email text UNIQUE)")

    async def insert() -> None:
        connection = await asyncpg.connect(at.migration_database_url)
        try:
            for _ in range(2):
                await connection.execute("INSERT INTO addresses VALUES ($1)", "canary@a.example")
        except asyncpg.UniqueViolationError:
            await connection.execute("SELECT pg_sleep(1.1) WHERE $1 <> ''", "canary@b.example")
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(insert())

    assert stack.data is not None
    said = (stack.data / "log" / "postgres.log").read_text()
    assert "duplicate key value" in said
    assert "duration: 1" in said
    assert "canary" not in said


def test_the_servers_know_nothing_of_our_environment(running: tuple[Stack, Addresses]) -> None:
    for name, pid in running[0].pids.items():
        known = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = {entry.partition(b"=")[0].decode() for entry in known if entry}
        assert {each for each in names if not each.startswith(("PG", "OOM"))} <= _PLAIN, name


def test_a_child_of_another_account_has_its_groups_and_hides_what_it_makes() -> None:
    account = servers_account()
    how = Spawn(
        death_signal=signal.SIGKILL,
        environment={"PATH": os.defpath},
        folder=Path("/"),
        account=account,
        output=subprocess.PIPE,
    )

    said, _ = spawn(["/bin/sh", "-c", "id -u; id -G; umask"], how).communicate()

    user, groups, mask = said.decode().splitlines()
    if account is None:  # nobody but root can be somebody else
        assert int(user) == os.geteuid()
    else:
        assert (int(user), groups, int(mask, 8)) == (account.uid, str(account.gid), 0o077)


def test_what_watches_takes_few_connections(running: tuple[Stack, Addresses]) -> None:
    stack, at = running
    stack.monitor_url()

    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'ostiary_monitor'"

    assert ask(at.database_url, limit) == 5


def test_a_second_start_tells_sizes_in_megabytes(running: tuple[Stack, Addresses]) -> None:
    stack, _ = running
    assert stack.data is not None
    stack.stop()
    stack.start()

    postgres, found = stack.found

    size = re.fullmatch(r"PostgreSQL \d+ data from \d{4}-\d\d-\d\d, (\d+) MB", postgres)
    assert size
    assert 5 < int(size[1]) < 500
    assert found == "Redis data, 1 MB"


def test_a_server_that_refuses_to_start_is_told_with_its_own_words(room: Path) -> None:
    stack = Stack(room / "home", redis=False, settings={"max_connections": "none"})

    with pytest.raises(StackError, match=r'postgres ended while it started .*"max_connections"'):
        stack.start()


def test_a_big_log_loses_its_beginning_in_place_and_a_small_one_nothing(tmp_path: Path) -> None:
    log, path = Log(tmp_path, "it.log", None), tmp_path / "it.log"
    path.write_bytes(b"a line\n")
    log.trim()
    assert path.read_bytes() == b"a line\n"
    path.write_bytes(b"a line\n" * 1_500_000 + b"the last\n")
    number = path.stat().st_ino

    descriptor = log.open()
    os.write(descriptor, b"and on\n")
    os.close(descriptor)

    assert path.stat().st_ino == number
    assert 900_000 < path.stat().st_size < 1_100_000
    assert log.tail()[-2:] == ["the last", "and on"]
