"""python -m storage check, status and rollback: what they show, and with which exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.metrics import Metrics
from ops.settings import Settings, load
from storage.database import Database
from storage.migrate import Migrator, NotMigrated, check_migrated, read
from tests.storage.conftest import Command

_LAST = read()[-1]


@pytest.fixture
def environ(own_environ: dict[str, str], own_redis: tuple[str, int]) -> dict[str, str]:
    """Give the environment of a command that finds both servers."""
    return own_environ | {"REDIS_URL": own_redis[0]}


async def findings(command: Command, environ: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Run the check; return its exit code and its findings by name."""
    code, told = await command(environ, "check", "--json")
    return code, {item["name"]: item for item in json.loads(told.splitlines()[-1])}


async def test_a_check_says_what_is_missing_until_it_is_there(
    fresh: Any, environ: dict[str, str], command: Command
) -> None:
    await command(environ, "migrate")
    await command(environ, "rollback", "--steps", "2")
    behind, found = await findings(command, environ)
    await command(environ, "migrate")
    good, told = await command(environ, "check")
    await fresh.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = $1",
                        _LAST.version)  # fmt: skip
    changed, after = await findings(command, environ)

    assert (behind, found["migrations"]["seen"]) == (1, "2 not applied")
    assert found["migrations"]["cure"] == "python -m storage migrate"
    assert "keys" not in found
    assert good == 0, told
    assert "ok   migrations: all applied" in told
    assert "ok   keys: 0 signing, 1 secret" in told
    assert (changed, after["migrations"]["ok"]) == (1, False)
    assert after["migrations"]["seen"] == f"changed after they were applied: {_LAST.version}"
    assert after["migrations"]["cure"] == "restore the files"


async def test_one_thing_that_is_bad_among_many_that_are_well_is_exit_code_1(
    fresh: Any, own_environ: dict[str, str], command: Command, tmp_path: Path
) -> None:
    await command(own_environ, "migrate")

    code, told = await command(
        own_environ | {"REDIS_URL": f"unix://{tmp_path}/nobody.sock"}, "check"
    )

    assert code == 1
    assert "BAD  redis: no answer  -> start it, or check REDIS_URL" in told
    assert told.count("ok   ") == 4


async def test_one_role_for_everything_is_told_with_what_would_be_safer(
    fresh: Any, environ: dict[str, str], command: Command
) -> None:
    one = environ | {"DATABASE_URL": environ["MIGRATION_DATABASE_URL"], "WORKER_DATABASE_URL": ""}
    await command(one, "migrate")

    _, found = await findings(command, one)

    assert found["roles"]["ok"]
    assert found["roles"]["seen"].startswith("one role for everything")
    assert "WORKER_DATABASE_URL" in found["roles"]["cure"]


async def test_without_keys_a_check_says_so_and_a_look_at_migrations_needs_none(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    keyless = {**own_environ, "SECRET_KEYS": ""}
    home = Path(keyless["OSTIARY_HOME"])
    (home / "run").mkdir()
    urls = [f"{name}={keyless.pop(name)}\n" for name in tuple(keyless) if "DATABASE" in name]
    (home / "run" / "stack.env").write_text("".join(urls))

    checked = await command(keyless, "check")
    looked = await command(keyless, "status")

    assert checked == (78, "SECRET_KEYS: not set; print one with `make key`\n")
    assert looked[0] == 0


async def test_the_status_shows_what_is_applied_and_what_was_changed_since(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    await command(own_environ, "migrate")
    back = await command(own_environ, "rollback", "--steps", "2")
    await fresh.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = $1",
                        read()[0].version)  # fmt: skip

    table = (await command(own_environ, "status"))[1].splitlines()
    rows = json.loads((await command(own_environ, "status", "--json"))[1])

    assert [line.partition(" back ")[2] for line in back[1].splitlines()] == [
        f"{item.version}_{item.name}" for item in (read()[-1], read()[-2])
    ]
    assert len(table) == len(rows) == len(read())
    assert [line.endswith(", changed since") for line in table].count(True) == 1
    assert table[0].endswith(", changed since")
    assert [line.endswith("not applied") for line in table[-3:]] == [False, True, True]
    assert [row["version"] for row in rows] == [item.version for item in read()]
    assert [row["applied_at"] is None for row in rows[-3:]] == [False, True, True]
    assert [row["changed"] for row in rows[:2]] == [True, False]


async def test_the_release_before_runs_on_a_newer_database_and_this_one_on_no_older(
    fresh: Any, own_environ: dict[str, str], command: Command, settings: Settings
) -> None:
    await command(own_environ, "migrate")
    database = await Database.open(
        settings.database_url, keys=settings.keyring, metrics=Metrics(), name="test", pool_size=1
    )
    try:
        newer = "29991231235959"
        assert await check_migrated(database) == _LAST.version
        await fresh.execute("INSERT INTO schema_migrations (version) VALUES ($1)", newer)
        assert await check_migrated(database) == newer
        await fresh.execute("DELETE FROM schema_migrations WHERE version IN ($1, $2)",
                            newer, _LAST.version)  # fmt: skip
        with pytest.raises(NotMigrated, match=f"needs {_LAST.version}"):
            await check_migrated(database)
    finally:
        await database.close()


async def test_what_another_tool_applied_without_checksums_is_taken_as_it_is(
    fresh: Any, settings: Settings
) -> None:
    async with Migrator.connect(settings) as migrator:
        await migrator.up()
        await fresh.execute("UPDATE schema_migrations SET checksum = '', name = ''")

        assert await migrator.up() == []
        assert not any(row.changed for row in await migrator.status())


async def test_a_workers_role_is_granted_what_it_needs_whoever_it_is(
    fresh: Any, own_environ: dict[str, str], tmp_path: Path
) -> None:
    written = own_environ["DATABASE_URL"].replace("ostiary_api:", "ostiary%5Fapi:")
    alone = load(
        own_environ | {"DATABASE_URL": written, "WORKER_DATABASE_URL": ""}, directory=tmp_path
    )
    async with Migrator.connect(alone) as migrator:
        await migrator.up()
        await migrator.grant(alone)

    asked = "SELECT has_function_privilege('ostiary_api', 'make_audit_partition(date)', 'EXECUTE')"
    assert await fresh.fetchval(asked)
    assert await fresh.fetchval("SELECT has_table_privilege('ostiary_api', 'users', 'INSERT')")
