"""Migrations: forward, back, and every way in which files and database do not fit together."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.settings import Settings, load
from storage.migrate import FOLDER, Migration, MigrationError, Migrator, create, read

ROOT = Path(__file__).parents[2]
_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""
_SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
_REQUIRED = """
SELECT attname AS name, format_type(atttypid, NULL) AS kind, (
    SELECT confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND conrelid = attrelid AND conkey = ARRAY[attnum]
) AS other
FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND NOT atthasdef AND NOT attisdropped
"""
# What any required column of a kind may hold; some have a rule of their own.
_OF_KIND = {
    "uuid": "'01935000-0000-7000-8000-00000000000a'",
    "text": "'a@b.co'",
    "bytea": "''",
    "jsonb": "'{}'",
    "text[]": "'{}'",
    "timestamp with time zone": "now()",
    "boolean": "true",
}
_OF_COLUMN = {"outcome": "'success'", "state": "'pending'"}


async def empty_tables(connection: Any) -> list[str]:
    """Name the tables without a row."""
    names = [row["relname"] for row in await connection.fetch(_TABLES)]
    return [n for n in names if not await connection.fetchval(f'SELECT count(*) FROM "{n}"')]  # noqa: S608


async def fill(connection: Any) -> None:
    """Put a row into every empty table, those first that others refer to."""
    for _ in range(5):
        for table in await empty_tables(connection):
            columns = await connection.fetch(_REQUIRED, table)
            values = [
                f"(SELECT {_key(row)} LIMIT 1)"
                if row["other"]
                else _OF_COLUMN.get(row["name"], _OF_KIND.get(row["kind"], "0"))
                for row in columns
            ]
            names = ", ".join(row["name"] for row in columns)
            with suppress(asyncpg.NotNullViolationError):  # what it refers to comes first
                await connection.execute(
                    f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)})"  # noqa: S608
                )


def _key(row: Any) -> str:
    column = "name" if row["other"] == "permissions" else "id"
    return f"{column} FROM {row['other']}"


def files(folder: Path, *parts: tuple[str, str, str]) -> list[Migration]:
    """Write migrations (file name, up, down) into an empty folder and read it."""
    for path in folder.glob("*.sql"):
        path.unlink()
    for name, up, down in parts:
        (folder / name).write_text(f"-- migrate:up{up}\n-- migrate:down{down}\n")
    return read(folder)


async def test_up_down_up_with_data_in_every_table(fresh: Any, settings: Settings) -> None:
    async with Migrator.connect(settings) as migrator:
        assert await migrator.up() == read()
        shape = await fresh.fetch(_SHAPE)
        await fill(fresh)
        assert await empty_tables(fresh) == []

        assert len(await migrator.down(len(read()))) == len(read())
        left = [row["relname"] for row in await fresh.fetch(_TABLES)]
        assert await migrator.up() == read()

    assert left == ["schema_migrations"]
    assert await fresh.fetch(_SHAPE) == shape
    assert await fresh.fetchval("SELECT count(*) FROM roles") == 4


async def test_one_step_back_and_forth_at_every_version(fresh: Any, settings: Settings) -> None:
    async with Migrator.connect(settings) as migrator:
        for count in range(1, len(read()) + 1):
            stepping = Migrator(migrator._connection, read()[:count])
            await stepping.up()
            assert len(await stepping.down()) == 1
            assert len(await stepping.up()) == 1


async def test_a_second_run_changes_nothing(fresh: Any, settings: Settings) -> None:
    async with Migrator.connect(settings) as migrator:
        await migrator.up()
        before = await fresh.fetch("SELECT * FROM schema_migrations")

        assert await migrator.up() == []

    assert await fresh.fetch("SELECT * FROM schema_migrations") == before


async def test_a_changed_file_is_noticed(fresh: Any, settings: Settings, tmp_path: Path) -> None:
    name = "20260101000000_a.sql"
    async with Migrator.connect(settings, files(tmp_path, (name, "\nSELECT 1;", ""))) as migrator:
        await migrator.up()

    changed = files(tmp_path, (name, "\nSELECT 2;", ""))
    async with Migrator.connect(settings, changed) as migrator:
        assert [row.changed for row in await migrator.status()] == [True]
        with pytest.raises(MigrationError, match="was changed after it was applied"):
            await migrator.up()
        with pytest.raises(MigrationError, match="was changed after it was applied"):
            await migrator.down()


async def test_a_missing_file_is_noticed(fresh: Any, settings: Settings, tmp_path: Path) -> None:
    known = files(tmp_path, ("20260101000000_a.sql", "\nSELECT 1;", ""))
    async with Migrator.connect(settings, known) as migrator:
        await migrator.up()

    async with Migrator.connect(settings, []) as migrator:
        with pytest.raises(MigrationError, match="20260101000000, this release does not"):
            await migrator.up()


async def test_an_older_version_that_comes_late_is_refused(
    fresh: Any, settings: Settings, tmp_path: Path
) -> None:
    newer = ("20260201000000_b.sql", "\nCREATE TABLE b (id int);", "\nDROP TABLE b;")
    async with Migrator.connect(settings, files(tmp_path, newer)) as migrator:
        await migrator.up()

    late = files(tmp_path, ("20260101000000_a.sql", "\nCREATE TABLE a (id int);", ""), newer)
    async with Migrator.connect(settings, late) as migrator:
        with pytest.raises(MigrationError, match="20260101000000 is older than 20260201000000"):
            await migrator.up()

    assert await fresh.fetchval("SELECT to_regclass('a')") is None


def test_files_that_are_no_migrations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="two migrations have version"):
        files(tmp_path, ("20260101000000_a.sql", "", ""), ("20260101000000_b.sql", "", ""))
    with pytest.raises(MigrationError, match=r"want YYYYMMDDHHMMSS_what\.sql"):
        files(tmp_path, ("1_a.sql", "", ""))
    (tmp_path / "1_a.sql").rename(tmp_path / "20260101000000_a.sql")
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\nSELECT 1;\n")
    with pytest.raises(MigrationError, match="migrate:down"):
        read(tmp_path)


async def test_a_failing_migration_leaves_nothing_of_itself(
    fresh: Any, settings: Settings, tmp_path: Path
) -> None:
    good = ("20260101000000_a.sql", "\nCREATE TABLE a (id int);", "\nDROP TABLE a;")
    bad = ("20260201000000_b.sql", "\nCREATE TABLE b (id int);\nSELECT nonsense;", "")
    async with Migrator.connect(settings, files(tmp_path, good, bad)) as migrator:
        with pytest.raises(MigrationError, match=r"20260201000000_b.sql: .*nonsense"):
            await migrator.up()

    assert await fresh.fetchval("SELECT to_regclass('a')") == "a"
    assert await fresh.fetchval("SELECT to_regclass('b')") is None
    assert await fresh.fetchval("SELECT array_agg(version) FROM schema_migrations") == [
        "20260101000000"
    ]


async def test_what_cannot_run_in_a_transaction_runs_statement_by_statement(
    fresh: Any, settings: Settings, tmp_path: Path
) -> None:
    up = (
        " transaction:false\nCREATE TABLE a (id int); -- first\n"
        "CREATE INDEX CONCURRENTLY a_id ON a (id);\nCREATE INDEX CONCURRENTLY a_id2 ON a (id);"
    )
    down = " transaction:false\nDROP INDEX CONCURRENTLY a_id;\nDROP TABLE a;"
    async with Migrator.connect(settings, files(tmp_path, ("20260101000000_a.sql", up, down))) as m:
        await m.up()
        assert await fresh.fetchval("SELECT to_regclass('a_id2')") == "a_id2"
        await m.down()

    assert await fresh.fetchval("SELECT to_regclass('a')") is None


async def test_fewer_steps_back_than_one_are_refused(fresh: Any, settings: Settings) -> None:
    async with Migrator.connect(settings) as migrator:
        await migrator.up()
        for steps in (0, -1):
            with pytest.raises(MigrationError, match="1 migration or more"):
                await migrator.down(steps)
        assert all(row.applied_at for row in await migrator.status())


async def test_looking_makes_nothing_and_the_api_may_look(
    fresh: Any, settings: Settings, own_environ: dict[str, str], tmp_path: Path
) -> None:
    await fresh.execute("GRANT USAGE ON SCHEMA public TO ostiary_api")
    as_api = load(own_environ | {"MIGRATION_DATABASE_URL": ""}, directory=tmp_path)

    async with Migrator.connect(as_api) as migrator:
        rows = await migrator.status()

    assert len(rows) == len(read())
    assert not any(row.applied_at for row in rows)
    assert await fresh.fetchval("SELECT to_regclass('schema_migrations')") is None


def test_a_new_migration_has_a_time_stamp_and_both_parts(tmp_path: Path) -> None:
    path = create("Add locale to users!", tmp_path)

    assert path.name.endswith("_add_locale_to_users.sql")
    assert [item.name for item in read(tmp_path)] == ["add_locale_to_users"]
    with pytest.raises(MigrationError, match="name the migration"):
        create("!!", tmp_path)


def test_every_file_says_how_to_go_back() -> None:
    for item in read():
        assert item.up.strip(), item.name
        assert item.down.strip(), item.name
    assert len(read()) == len(list(FOLDER.iterdir()))
