"""python -m storage: processes on a database of their own."""

import asyncio
from pathlib import Path
from typing import Any

from storage.migrate import read
from tests.factories import OPS_TOKEN, SECRET_KEYS
from tests.storage.conftest import Command


async def test_three_runners_at_once_apply_each_migration_once(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    done = await asyncio.gather(*(command(own_environ, "migrate") for _ in range(3)))

    assert [code for code, _ in done] == [0, 0, 0]
    applied = [line for _, told in done for line in told.splitlines() if "applied 2" in line]
    assert len(applied) == len(set(applied)) == len(read())
    assert sum("up to date" in told for _, told in done) == 2
    assert await fresh.fetchval("SELECT count(*) FROM schema_migrations") == len(read())


async def test_the_commands_go_forward_back_and_anew(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    assert (await command(own_environ, "migrate"))[0] == 0
    assert "rolled back" in (await command(own_environ, "rollback"))[1]
    assert (await command(own_environ, "status"))[1].count("not applied") == 1
    await fresh.execute("CREATE TABLE left_behind (id int)")
    refused = await command(own_environ, "reset", said="yes\n")
    nobody = await command(own_environ, "reset")
    assert await fresh.fetchval("SELECT to_regclass('left_behind')") == "left_behind"
    told = await command(own_environ, "reset", said="reset\n")

    assert refused[0] == nobody[0] == 1
    assert "nothing was changed" in refused[1]
    assert "nothing was changed" in nobody[1]
    assert (told[0], "the database is new" in told[1]) == (0, True)
    assert await fresh.fetchval("SELECT to_regclass('left_behind')") is None
    assert await fresh.fetchval("SELECT has_table_privilege('ostiary_api', 'users', 'INSERT')")


async def test_reset_is_refused_in_production_and_asks_nobody_with_yes(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    production = {
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "https://auth.acme.com",
        "SMTP_URL": "smtp://relay.acme.com",
        "OPS_TOKEN": OPS_TOKEN,
    }
    await fresh.execute("CREATE TABLE left_behind (id int)")

    refused = await command(own_environ | production, "reset", "--yes")

    assert refused[0] == 1
    assert "refused in production" in refused[1]
    assert await fresh.fetchval("SELECT to_regclass('left_behind')") == "left_behind"
    assert (await command(own_environ, "reset", "--yes"))[0] == 0
    assert await fresh.fetchval("SELECT to_regclass('left_behind')") is None


async def test_a_server_that_is_not_there_and_a_missing_address_are_told(
    tmp_path: Path, command: Command
) -> None:
    nobody = await command({"OSTIARY_HOME": str(tmp_path)}, "status")
    away = f"postgresql://u:canary@/d?host={tmp_path}"
    gone = await command(
        {"OSTIARY_HOME": str(tmp_path), "DATABASE_URL": away, "SECRET_KEYS": SECRET_KEYS}, "status"
    )

    assert nobody == (78, "DATABASE_URL: not set; run `make up`, or set it to yours\n")
    assert gone[0] == 1
    assert "Traceback" not in gone[1]
    assert "canary" not in gone[1]
