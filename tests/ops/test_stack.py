"""The embedded servers, real ones, in folders of their own; nothing listens on a port."""

import json
import os
import re
import signal
import stat
from pathlib import Path

import asyncpg
import pytest
import redis

from ops.stack import Addresses, Stack, StackError
from tests.ops.stacks import (
    FAST,
    ask,
    command_lines,
    ping,
    urls,
    wait_until,
)


def test_the_three_roles_sign_in_and_each_is_who_its_address_says(
    running: tuple[Stack, Addresses],
) -> None:
    _, at = running

    urls = [at.database_url, at.worker_database_url, at.migration_database_url]
    names = [ask(url, "SELECT current_user") for url in urls]

    assert names == ["ostiary_api", "ostiary_worker", "ostiary_owner"]
    assert "postgresql" not in repr(at)


def test_the_owner_makes_tables_and_trusted_extensions_but_no_roles(
    running: tuple[Stack, Addresses],
) -> None:
    url = running[1].migration_database_url

    ask(url, "CREATE TABLE t (id int)", "CREATE EXTENSION citext", "CREATE EXTENSION pg_trgm")

    assert ask(url, "SELECT count(*) FROM t") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(url, "CREATE ROLE intruder")


def test_the_api_and_the_worker_make_nothing_and_enter_no_other_database(
    running: tuple[Stack, Addresses],
) -> None:
    for url in (str(running[1].database_url), str(running[1].worker_database_url)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            ask(url, "CREATE TABLE theirs (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            ask(url.replace("/ostiary?", "/postgres?"), "SELECT 1")


def test_a_wrong_password_opens_neither_server(running: tuple[Stack, Addresses]) -> None:
    wrong = [re.sub(r":[^:@]+@", ":wrong@", str(url)) for url in urls(running[1])]

    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(wrong[0], "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        ping(wrong[1])


def test_a_running_stack_is_durable_unless_told_otherwise(room: Path) -> None:
    stack = Stack(room / "home")

    at = stack.start()
    values = ask(
        at.database_url,
        "SELECT array_agg(setting ORDER BY name) FROM pg_settings"
        " WHERE name IN ('fsync', 'full_page_writes', 'listen_addresses', 'synchronous_commit')",
    )
    with redis.Redis.from_url(str(at.redis_url)) as client:
        kept = client.config_get("appendonly", "maxmemory-policy")
    stack.stop()

    assert values == ["on", "on", "", "on"]
    assert kept == {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def test_a_second_start_says_what_it_found_and_goes_on_with_it(room: Path) -> None:
    first, second = Stack(room / "home", settings=FAST), Stack(room / "home", settings=FAST)
    first_lines: list[str] = []
    second_lines: list[str] = []

    before = first.start(first_lines.append)
    ask(before.migration_database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    first.stop()
    after = second.start(second_lines.append)
    answer = ask(after.migration_database_url, "SELECT answer FROM kept")
    second.stop()

    assert answer == 42
    assert after == before
    assert (first.found, len(first_lines)) == ([], 1)
    assert "PostgreSQL" in second.found[0]
    assert "Redis" in second.found[1]
    assert second_lines == []


def test_no_secret_is_readable_by_others_or_stands_in_a_command_line(
    running: tuple[Stack, Addresses],
) -> None:
    stack = running[0]
    assert stack.data is not None
    known = json.loads((stack.data / "passwords.json").read_text())

    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in stack.data.iterdir()}
    lines = command_lines(stack.pids.values())

    assert stat.S_IMODE(stack.data.stat().st_mode) == 0o700
    assert [path for path, mode in modes.items() if mode & 0o077] == []
    assert [name for name, word in known.items() if word.encode() in lines] == []


def test_who_watches_sees_statistics_and_nobody_s_rows(running: tuple[Stack, Addresses]) -> None:
    stack, at = running
    ask(at.migration_database_url, "CREATE TABLE told AS SELECT 'a secret' AS word")

    url = stack.monitor_url()

    assert stack.monitor_url() == url
    assert ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query = ''") is not None
    assert ask(url, "SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(url, "SELECT word FROM told")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(url, "CREATE TABLE mine ()")


def test_starting_twice_in_one_home_names_who_runs_it(running: tuple[Stack, Addresses]) -> None:
    stack = running[0]
    assert stack.data is not None

    with pytest.raises(StackError, match=f"already running here .* process {os.getpid()}"):
        Stack(stack.data).start()

    assert stack.check() == []
    assert ping(running[1].redis_url)


def test_a_server_that_dies_is_named(room: Path) -> None:
    stack = Stack(room / "home", postgres=False)
    at = stack.start()

    os.kill(stack.pids["redis"], signal.SIGKILL)
    wait_until(lambda: bool(stack.check()))
    died = stack.check()
    stack.stop()

    assert died == ["redis"]
    assert at.database_url is None
