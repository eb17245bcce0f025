"""Statements that look for few among many: no table is gone through from end to end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.ids import new_id
from storage.outbox.repository import DEPTHS
from storage.roles.repository import ADMIN_EXISTS, ADMINISTRATORS, IS_LAST_ADMIN
from storage.users.repository import STATES
from tests.own_database import OwnDatabase, own_database

_PEOPLE = """
WITH made AS (
    INSERT INTO users (id, email, first_name, last_name)
    SELECT gen_random_uuid(), 'many.' || number || '@example.com', 'Many', 'Many'
    FROM generate_series(1, 6000) AS number RETURNING id
)
INSERT INTO user_roles (user_id, role_id)
SELECT made.id, roles.id FROM made JOIN roles ON roles.name = 'user'
"""
_ONE_ADMIN = """
INSERT INTO user_roles (user_id, role_id)
SELECT users.id, roles.id FROM (SELECT id FROM users LIMIT 1) AS users, roles WHERE name = 'admin'
"""
_DONE = """
INSERT INTO outbox (id, queue, name, body, state, finished_at)
SELECT gen_random_uuid(), 'emails', 'emails.welcome', '{}', 'done', now()
FROM generate_series(1, 20000)
"""


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database in which many people are and many jobs are done."""
    async with own_database(home, make_settings, "many") as made:
        for statement in (_PEOPLE, _ONE_ADMIN, _DONE):
            await made.owner.execute(statement)
        await made.owner.execute("VACUUM (ANALYZE) users, user_roles, outbox")
        yield made


@pytest.mark.parametrize(
    ("statement", "args"),
    [
        (ADMIN_EXISTS, ()),
        (ADMINISTRATORS, ()),
        (IS_LAST_ADMIN, (new_id(),)),
        (DEPTHS, ()),
    ],
    ids=["admin exists", "administrators", "last admin", "depths"],
)
async def test_no_table_is_gone_through(
    room: OwnDatabase, statement: str, args: tuple[Any, ...]
) -> None:
    rows = await room.owner.fetch(f"EXPLAIN {statement}", *args)
    plan = "\n".join(row[0] for row in rows)

    for table in ("users", "user_roles", "outbox"):
        assert f"Seq Scan on {table}" not in plan, plan


async def test_who_is_counted_is_the_same_by_every_way(room: OwnDatabase) -> None:
    people = {row["state"]: row["people"] for row in await room.owner.fetch(STATES)}

    assert people == {"verified": 0, "unverified": 6_000, "suspended": 0, "deleted": 0}
    assert await room.owner.fetchval(ADMINISTRATORS) == 1
    assert await room.owner.fetchval(ADMIN_EXISTS) is True
