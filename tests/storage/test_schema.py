"""What the contract says of every table, and who may touch which."""

from typing import Any

import asyncpg
import pytest

from ops.ids import new_id
from ops.stack import Addresses

_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> 'schema_migrations'
"""
_NOT_INDEXED = """
SELECT conrelid::regclass::text AS relation, conname FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_index
    WHERE indrelid = conrelid AND indpred IS NULL
      AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
)
"""
_INSERT = (
    "INSERT INTO audit_inbox (id, action, outcome, actor_kind, happened_at)"
    " VALUES ($1, 'user.created', 'success', 'system', now())"
)

_RESTRICTED = {
    "audit_inbox": {
        "ostiary_api": "SELECT INSERT",
        "ostiary_worker": "SELECT INSERT UPDATE DELETE",
    },
    "audit_ledger": {"ostiary_api": "SELECT", "ostiary_worker": "SELECT INSERT"},
    "audit_personal": {"ostiary_api": "SELECT", "ostiary_worker": "SELECT INSERT DELETE"},
    "audit_checkpoints": {"ostiary_api": "SELECT", "ostiary_worker": "SELECT INSERT"},
}


async def test_every_foreign_key_has_an_index(owner: Any) -> None:
    assert [dict(row) for row in await owner.fetch(_NOT_INDEXED)] == []


async def test_a_foreign_key_without_an_index_would_be_found(owner: Any) -> None:
    change = owner.transaction()
    await change.start()
    await owner.execute("CREATE TABLE planted (id uuid REFERENCES users (id))")

    found = [row["relation"] for row in await owner.fetch(_NOT_INDEXED)]

    await change.rollback()
    assert found == ["planted"]


async def test_every_table_says_when_its_rows_were_made_and_changed(owner: Any) -> None:
    for row in await owner.fetch(_TABLES):
        columns = await owner.fetch(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = $1",
            row["relname"],
        )
        times = {item["column_name"]: item for item in columns}
        for name in ("created_at", "updated_at"):
            assert times[name]["data_type"] == "timestamp with time zone", row
            assert times[name]["is_nullable"] == "NO", row
        kinds = {item["data_type"] for item in columns}
        assert not kinds & {"timestamp without time zone", "date", "character varying"}, row


async def test_ids_have_no_default_and_every_table_a_key(owner: Any) -> None:
    defaults = await owner.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type = 'uuid' AND column_default IS NOT NULL"
    )
    keyless = await owner.fetch(
        f"{_TABLES} AND NOT EXISTS (SELECT FROM pg_constraint"
        " WHERE conrelid = pg_class.oid AND contype = 'p')"
    )

    assert list(defaults) == []
    assert list(keyless) == []


async def test_the_api_only_adds_to_the_audit_inbox_and_the_worker_seals_it(
    addresses: Addresses, owner: Any
) -> None:
    api = await asyncpg.connect(addresses.database_url)
    worker = await asyncpg.connect(addresses.worker_database_url)
    event = new_id()

    await api.execute(_INSERT, event)
    assert await api.fetchval("SELECT action FROM audit_inbox WHERE id = $1", event)
    for forbidden in (
        "UPDATE audit_inbox SET action = 'x'",
        "DELETE FROM audit_inbox",
        "TRUNCATE audit_inbox",
        "DROP TABLE audit_inbox",
        "ALTER TABLE audit_inbox DISABLE TRIGGER ALL",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.execute(forbidden)

    assert await worker.execute("DELETE FROM audit_inbox WHERE id = $1", event) == "DELETE 1"
    await api.close()
    await worker.close()


async def test_neither_role_touches_the_migrations_or_makes_anything(
    addresses: Addresses, owner: Any
) -> None:
    for url in (addresses.database_url, addresses.worker_database_url):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") > 0
        for forbidden in (
            "INSERT INTO schema_migrations (version) VALUES ('9')",
            "UPDATE schema_migrations SET checksum = ''",
            "DELETE FROM schema_migrations",
            "CREATE TABLE planted (id uuid)",
            "TRUNCATE users",
            "ALTER TABLE users ADD COLUMN planted text",
            "SET ROLE ostiary_owner",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
        await connection.close()


@pytest.mark.parametrize("table", _RESTRICTED)
async def test_the_audit_trail_is_closed_to_both_roles_but_for_what_they_do(
    owner: Any, table: str
) -> None:
    for role, allowed in _RESTRICTED[table].items():
        found = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
            if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right)
        }
        assert found == set(allowed.split()), role


async def test_only_the_workers_may_ask_for_partitions(owner: Any) -> None:
    for function in (
        "make_audit_partition(date)",
        "audit_months_in_rest()",
        "drop_audit_partition(date)",
        "drop_audit_checkpoints(integer)",
    ):
        for role, allowed in (("ostiary_api", False), ("ostiary_worker", True)):
            has = "SELECT has_function_privilege($1, $2, 'EXECUTE')"
            assert await owner.fetchval(has, role, function) == allowed, (role, function)


async def test_both_roles_work_with_every_other_table(addresses: Addresses, owner: Any) -> None:
    tables = {row["relname"] for row in await owner.fetch(_TABLES)} - set(_RESTRICTED)

    for role in ("ostiary_api", "ostiary_worker"):
        for table in tables:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                has = await owner.fetchval(
                    "SELECT has_table_privilege($1, $2, $3)", role, table, right
                )
                assert has, (role, table, right)
