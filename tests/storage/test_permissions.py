"""The catalogue of permissions, and the documents' matrix of who has them, as data."""

import asyncio
from typing import Any

import pytest

from api.parts import Parts
from storage.roles import BuiltInRole, Permission
from tests.factories import register

# Document 003, section 9.3, and what came since. Who may do something to everybody's may do
# it to their own too.
MATRIX = {
    #                      admin manager user  guest
    "users:read":         (True, True, False, False),
    "users:read_own":     (True, True, True, False),
    "users:create":       (True, False, False, False),
    "users:update":       (True, False, False, False),
    "users:update_team":  (True, True, False, False),
    "users:update_own":   (True, True, True, False),
    "users:delete":       (True, False, False, False),
    "content:read":       (True, True, True, True),
    "content:create":     (True, True, True, False),
    "content:update":     (True, True, False, False),
    "content:update_own": (True, True, True, False),
    "content:delete":     (True, True, False, False),
    "content:delete_own": (True, True, True, False),
    # What the documents leave open: decided in docs/roles.md.
    "sessions:read":      (True, False, False, False),
    "roles:read":         (True, True, False, False),
    "roles:write":        (True, False, False, False),
    "roles:assign":       (True, False, False, False),
    "teams:read":         (True, True, False, False),
    "teams:read_own":     (True, True, True, False),
    "teams:create":       (True, True, False, False),
    "teams:manage":       (True, False, False, False),
    "teams:manage_own":   (True, True, False, False),
    "audit:read":         (True, False, False, False),
    "jobs:read":          (True, False, False, False),
    "jobs:manage":        (True, False, False, False),
    "statistics:read":    (True, False, False, False),
}  # fmt: skip
HAS = "SELECT permission FROM role_permissions JOIN roles ON roles.id = role_id WHERE name = $1"


async def test_the_catalogue_of_the_code_is_that_of_the_database(owner: Any) -> None:
    rows = await owner.fetch("SELECT name, description FROM permissions")

    assert {row["name"] for row in rows} == set(Permission)
    assert all(row["description"] for row in rows)


def test_the_matrix_knows_every_permission() -> None:
    assert set(MATRIX) == set(Permission)


@pytest.mark.parametrize(("column", "role"), list(enumerate(BuiltInRole)))
async def test_built_in_roles_permit_what_the_documents_say(
    owner: Any, clean: None, column: int, role: str
) -> None:
    found = {row["permission"] for row in await owner.fetch(HAS, role)}

    assert found == {name for name, may in MATRIX.items() if may[column]}


async def test_the_built_in_roles_are_these_the_highest_first(owner: Any) -> None:
    rows = await owner.fetch("SELECT name FROM roles WHERE built_in ORDER BY rank DESC")

    assert [row["name"] for row in rows] == list(BuiltInRole)


async def test_a_built_in_role_is_not_deleted_even_when_it_is_asked_for(
    parts: Parts, owner: Any, clean: None
) -> None:
    async with parts.database.transaction() as storage:
        guest = await storage.roles.by_name(BuiltInRole.GUEST)
        await storage.roles.remove(guest.id)

    assert await owner.fetchval("SELECT count(*) FROM roles WHERE name = 'guest'") == 1


async def test_who_has_a_role_is_counted_without_the_deleted_and_no_further_than_asked(
    parts: Parts, owner: Any, clean: None
) -> None:
    people = """
    WITH made AS (
        INSERT INTO users (id, email, first_name, last_name, deleted_at)
        SELECT gen_random_uuid(), n || '@example.com', 'Ada', 'Lovelace',
            CASE WHEN n > 5 THEN now() END
        FROM generate_series(1, 8) AS n RETURNING id
    )
    INSERT INTO user_roles (user_id, role_id)
    SELECT made.id, roles.id FROM made, roles WHERE roles.name = 'manager'
    """
    await owner.execute(people)

    async with parts.database.reading() as storage:
        manager = await storage.roles.by_name(BuiltInRole.MANAGER)
        found = [await storage.roles.holders(manager.id, limit=limit) for limit in (3, 100)]

    assert found == [3, 5]


async def test_who_is_just_being_given_a_role_is_waited_for_and_counted(
    parts: Parts, api: Any, owner: Any
) -> None:
    await register(api)
    user_id = await owner.fetchval("SELECT id FROM users")

    async def counted(role_id: Any) -> int:
        async with parts.database.transaction() as storage:
            await storage.roles.lock_out(role_id)
            return await storage.roles.holders(role_id, limit=10)

    async with parts.database.transaction() as storage:
        manager = await storage.roles.by_name(BuiltInRole.MANAGER)
        await storage.roles.give(user_id, manager.id)
        counting = asyncio.create_task(counted(manager.id))
        await asyncio.sleep(0.2)
        assert not counting.done()

    assert await counting == 1
