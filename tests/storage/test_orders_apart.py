"""The orders by last sign-in and last change, in tables of their own: what changes them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from ops.settings import Settings
from storage.database import Database
from storage.migrate import Migrator, read
from storage.pages import Window
from storage.users.listing import LIST
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import THEN, add, page

# What the tables say that the people do not, and the other way round.
_APART = """
SELECT count(*) FROM users
FULL JOIN user_last_logins AS logins ON logins.user_id = users.id
FULL JOIN user_changes AS changes ON changes.user_id = users.id
WHERE (coalesce(users.last_login_at, '-infinity'), deleted_at IS NULL)
    IS DISTINCT FROM (logins.last_login_at, logins.living)
  OR (users.updated_at, deleted_at IS NULL)
    IS DISTINCT FROM (changes.updated_at, changes.living)
"""
_VERSION = "20261122111000"
_BEFORE = """
INSERT INTO users (id, email, first_name, last_name, updated_at, deleted_at)
SELECT gen_random_uuid(), 'person.' || number || '@example.com', 'Ada', 'Lovelace',
    now() - number * interval '1 day', CASE WHEN number > 2 THEN now() END
FROM generate_series(1, 4) AS number
"""
_BOTH = pytest.mark.parametrize("sort", ["lastLoginAt", "updatedAt"])


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "logins") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def test_a_sign_in_takes_a_person_to_the_top(room: OwnDatabase, database: Database) -> None:
    ids = await add(room, 5, last_login_at=THEN)
    async with database.transaction() as storage:
        assert await storage.users.logged_in(ids[2], 1)

    found = await page(database, sort="lastLoginAt", limit=1)

    assert [item.id for item in found.items] == [ids[2]]
    assert await room.owner.fetchval(_APART) == 0


async def test_a_change_takes_a_person_to_the_top(room: OwnDatabase, database: Database) -> None:
    ids = await add(room, 5)
    async with database.transaction() as storage:
        role = await storage.roles.by_name("guest")
        assert await storage.roles.give(ids[2], role.id)

    found = await page(database, sort="updatedAt", limit=1)

    assert [item.id for item in found.items] == [ids[2]]
    assert await room.owner.fetchval(_APART) == 0


async def test_who_never_signed_in_comes_last(room: OwnDatabase, database: Database) -> None:
    (never,) = await add(room, 1, last_login_at=None)
    await add(room, 2, last_login_at=THEN)

    found = await page(database, sort="lastLoginAt")

    assert found.items[-1].id == never
    assert found.items[-1].last_login_at is None


@_BOTH
async def test_the_deleted_are_listed_by_themselves_until_they_are_restored(
    room: OwnDatabase, database: Database, sort: str
) -> None:
    (gone,) = await add(room, 1, last_login_at=THEN + timedelta(days=1))
    (here,) = await add(room, 1, last_login_at=THEN)
    async with database.transaction() as storage:
        assert await storage.users.remove(gone)

    living = await page(database, sort=sort)
    deleted = await page(database, sort=sort, filters={"deleted": True})
    async with database.transaction() as storage:
        await storage.users.restore(gone)
    restored = await page(database, sort=sort)

    assert [item.id for item in living.items] == [here]
    assert [item.id for item in deleted.items] == [gone]
    assert [item.id for item in restored.items] == [gone, here]
    assert await room.owner.fetchval(_APART) == 0


@_BOTH
async def test_who_is_deleted_by_hand_leaves_the_order(
    room: OwnDatabase, database: Database, sort: str
) -> None:
    gone, here = await add(room, 2)
    await room.owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", gone)

    assert [item.id for item in (await page(database, sort=sort)).items] == [here]
    assert await room.owner.fetchval(_APART) == 0


@_BOTH
async def test_whose_row_is_erased_is_in_no_order(
    room: OwnDatabase, database: Database, sort: str
) -> None:
    await add(room, 3)
    await room.owner.execute("DELETE FROM users")

    assert (await page(database, sort=sort)).items == []
    assert await room.owner.fetchval(f"SELECT count(*) FROM {LIST.apart[sort].table}") == 0  # noqa: S608


@_BOTH
def test_a_list_of_everybody_reads_the_order_alone(sort: str) -> None:
    alone, _ = LIST.page(Window(sort=sort))
    filtered, _ = LIST.page(Window(sort=sort, filters={"plan": "free"}))

    assert "JOIN users ON" not in alone
    assert f"FROM {LIST.apart[sort].table} JOIN users ON" in filtered


async def test_what_was_there_before_has_its_place_in_the_order(
    fresh: Any, settings: Settings
) -> None:
    earlier = [item for item in read() if item.version < _VERSION]
    async with Migrator.connect(settings, earlier) as migrator:
        await migrator.up()
    await fresh.execute(_BEFORE)

    async with Migrator.connect(settings) as migrator:
        await migrator.up()

    assert await fresh.fetchval("SELECT count(*) FROM user_changes") == 4
    assert await fresh.fetchval(_APART) == 0
