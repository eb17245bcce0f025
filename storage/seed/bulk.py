"""Many rows at once: no trigger and no foreign key looked at row by row, indexes made anew."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

# Fewer rows than this are added and removed as in life.
BULK = 20_000

_TABLES = ("users", "user_roles", "team_members")

# What only makes reading quick; what is unique guards the rows and stays.
REBUILDABLE = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = ANY($1::text[]::regclass[]) AND NOT indisunique
ORDER BY 1
"""

# Looked at once for all rows when they are added again.
FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS relation, quote_ident(conname) AS name,
    pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE conrelid = ANY($1::text[]::regclass[]) AND contype = 'f'
ORDER BY 1, 2
"""

# What the triggers would have done row by row.
LAST_LOGINS = """
INSERT INTO user_last_logins (user_id, last_login_at, living)
SELECT id, coalesce(last_login_at, '-infinity'), deleted_at IS NULL FROM users
WHERE NOT EXISTS (SELECT FROM user_last_logins WHERE user_id = users.id)
"""
CHANGES = """
INSERT INTO user_changes (user_id, living, updated_at)
SELECT id, deleted_at IS NULL, updated_at FROM users
WHERE NOT EXISTS (SELECT FROM user_changes WHERE user_id = users.id)
"""
FORGET_EVERYTHING = "INSERT INTO revocations (id) VALUES (gen_random_uuid())"


@asynccontextmanager
async def without_triggers(connection: Any) -> AsyncIterator[None]:
    """Change many people inside; needs the owner's transaction, with nothing done in it yet."""
    for table in _TABLES:
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for table in _TABLES:
        await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    async with loaded(connection, "user_last_logins", "user_changes"):
        await connection.execute(LAST_LOGINS)
        await connection.execute(CHANGES)
    await connection.execute(FORGET_EVERYTHING)


@asynccontextmanager
async def loaded(connection: Any, *tables: str) -> AsyncIterator[None]:
    """Add many rows inside; needs the owner's transaction."""
    await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
    indexes = await connection.fetch(REBUILDABLE, list(tables))
    keys = await connection.fetch(FOREIGN_KEYS, list(tables))
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for key in keys:
        await connection.execute(f"ALTER TABLE {key['relation']} DROP CONSTRAINT {key['name']}")
    yield
    for index in indexes:
        await connection.execute(index["definition"])
    for key in keys:
        await connection.execute(
            f"ALTER TABLE {key['relation']} ADD CONSTRAINT {key['name']} {key['definition']}"
        )


async def copied(
    connection: Any, table: str, *, records: Iterable[Sequence[Any]], columns: Sequence[str]
) -> None:
    """Add rows by COPY; raise ConnectionDoesNotExistError when the server goes meanwhile.

    asyncpg wakes nobody who waits for room to write when the connection is lost.
    """
    gone = asyncio.Event()

    def note(_connection: Any) -> None:
        gone.set()

    connection.add_termination_listener(note)
    copying = asyncio.create_task(
        connection.copy_records_to_table(table, records=records, columns=columns)
    )
    watching = asyncio.create_task(gone.wait())
    try:
        await asyncio.wait({copying, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost")
        await copying
    finally:
        copying.cancel()
        watching.cancel()
        connection.remove_termination_listener(note)
