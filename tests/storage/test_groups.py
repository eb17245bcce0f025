"""Lists of a role's or a team's people, walked by themselves in the order of their age."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from ops.ids import new_id
from ops.settings import Settings
from storage.database import Database
from storage.migrate import Migrator, read
from storage.pages import COUNTED_MATCHES, Cursor, Window
from storage.users.listing import LIST
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import THEN, add, page

_TEAM = "INSERT INTO teams (id, name) VALUES ($1, $2)"
_TABLES = {"role": "user_roles", "team": "team_members"}
_PUT = {
    "role": "INSERT INTO user_roles (role_id, user_id) SELECT $1, unnest($2::uuid[])",
    "team": "INSERT INTO team_members (team_id, user_id) SELECT $1, unnest($2::uuid[])",
}
_MANY = """
INSERT INTO users (id, email, first_name, last_name, created_at)
SELECT gen_random_uuid(), 'many.' || number || '@example.com', 'Many', 'Many',
    $1::timestamptz + number * interval '1 minute'
FROM generate_series(1, $2::int) AS number RETURNING id
"""
_VERSION = "20261122110000"
_BEFORE = """
WITH made AS (
    INSERT INTO users (id, email, first_name, last_name, created_at)
    VALUES (gen_random_uuid(), 'a@example.com', 'Ada', 'Lovelace', '2026-01-01Z') RETURNING id
), given AS (
    INSERT INTO user_roles (user_id, role_id) SELECT made.id, roles.id FROM made, roles
    WHERE name = 'user'
), team AS (
    INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'Team') RETURNING id
)
INSERT INTO team_members (team_id, user_id) SELECT team.id, made.id FROM team, made
"""
_OF = pytest.mark.parametrize("of", ["role", "team"])


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "groups") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def group(room: OwnDatabase, of: str, *people: UUID) -> UUID:
    """Give people a role, or put them into a team; return its id."""
    if of == "role":
        group_id: UUID = await room.owner.fetchval("SELECT id FROM roles WHERE name = 'guest'")
    else:
        group_id = new_id()
        await room.owner.execute(_TEAM, group_id, f"Team {group_id}")
    await room.owner.execute(_PUT[of], group_id, people)
    return group_id


async def ids(database: Database, **asked: Any) -> list[UUID]:
    """Return who is in a part of the list."""
    return [item.id for item in (await page(database, **asked)).items]


@_OF
@pytest.mark.parametrize("way", ["DESC", "ASC"])
async def test_a_walk_gives_everybody_of_it_once_and_in_order(
    room: OwnDatabase, database: Database, of: str, way: str
) -> None:
    people = await add(room, 9)
    gone = await add(room, 2, deleted_at=THEN)
    await add(room, 4)
    group_id = await group(room, of, *people[:7], *gone)
    rows = await room.owner.fetch(
        f"SELECT id FROM users WHERE id = ANY($1) ORDER BY created_at {way}, id {way}",  # noqa: S608
        people[:7],
    )
    expected = [row["id"] for row in rows]
    asked = {"filters": {of: group_id}, "descending": way == "DESC", "limit": 3}

    walked: list[UUID] = []
    after: Cursor | None = None
    while not walked or after:
        part = await page(database, **asked, offset=None, after=after)
        walked += [item.id for item in part.items]
        after = part.next
    pages = [await page(database, **asked, offset=offset) for offset in (0, 3, 6)]

    assert walked == expected
    assert [item.id for part in pages for item in part.items] == expected
    assert {(part.total, part.total_is_exact) for part in pages} == {(7, True)}


@_OF
async def test_dates_and_other_filters_hold_beside_it(
    room: OwnDatabase, database: Database, of: str
) -> None:
    early, late = await add(room, 1), await add(room, 1, created_at=THEN + timedelta(days=3))
    premium = await add(room, 1, plan="premium", created_at=THEN + timedelta(days=2))
    suspended = await add(room, 1, is_active=False)
    gone = await add(room, 1, deleted_at=THEN)
    await add(room, 1, plan="premium")
    group_id = await group(room, of, *early, *late, *premium, *suspended, *gone)
    one = {of: group_id}

    assert await ids(database, filters=one | {"plan": "premium"}) == premium
    assert await ids(database, filters=one | {"suspended": True}) == suspended
    assert await ids(database, filters=one | {"deleted": True}) == gone
    assert await ids(database, filters=one, since=THEN + timedelta(days=1)) == [*late, *premium]
    assert await ids(database, filters=one, since=THEN + timedelta(days=3)) == late
    assert await ids(database, filters=one, until=THEN + timedelta(days=3), limit=1) == premium
    assert await ids(database, filters=one, sort="email", until=THEN) == []


async def test_a_role_and_a_team_together_give_who_has_both(
    room: OwnDatabase, database: Database
) -> None:
    people = await add(room, 6)
    role_id = await group(room, "role", *people[:4])
    team_id = await group(room, "team", *people[2:])

    found = await ids(database, filters={"role": role_id, "team": team_id})

    assert sorted(found) == sorted(people[2:4])


@_OF
async def test_many_of_it_are_counted_up_to_the_bound(
    room: OwnDatabase, database: Database, of: str
) -> None:
    people = [row["id"] for row in await room.owner.fetch(_MANY, THEN, COUNTED_MATCHES + 1)]
    group_id = await group(room, of, *people)

    more = await page(database, filters={of: group_id}, limit=5)
    await room.owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", people[0])
    exact = await page(database, filters={of: group_id}, limit=5)

    assert (more.total, more.total_is_exact) == (COUNTED_MATCHES, False)
    assert (exact.total, exact.total_is_exact) == (COUNTED_MATCHES, True)


@_OF
async def test_whose_date_is_mended_by_hand_takes_their_place(
    room: OwnDatabase, database: Database, of: str
) -> None:
    first, second = await add(room, 2, created_at=THEN)
    group_id = await group(room, of, first, second)
    for person, days in ((first, 2), (second, 1)):
        await room.owner.execute(
            "UPDATE users SET created_at = $2 WHERE id = $1", person, THEN + timedelta(days=days)
        )

    assert await ids(database, filters={of: group_id}) == [first, second]


@_OF
async def test_somebody_who_is_not_there_is_refused_by_the_key(
    room: OwnDatabase, database: Database, of: str
) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await group(room, of, new_id())


@_OF
async def test_a_third_of_all_is_walked_without_being_sorted(
    room: OwnDatabase, database: Database, of: str
) -> None:
    people = [row["id"] for row in await room.owner.fetch(_MANY, THEN, 6_000)]
    group_id = await group(room, of, *people[::3])
    await room.owner.execute("ANALYZE users, user_roles, team_members")

    statement, args = LIST.page(Window(filters={of: group_id}, since=THEN, offset=None))
    rows = await room.owner.fetch(f"EXPLAIN {statement}", *args)
    plan = "\n".join(row[0] for row in rows)

    assert f"Scan Backward using {_TABLES[of]}_by_age" in plan, plan
    assert f"Sort Key: {_TABLES[of]}" not in plan, plan
    assert "AND (user_created_at >= " in plan, plan


@_OF
def test_beside_words_and_what_few_match_the_list_itself_is_looked_through(of: str) -> None:
    def is_walked(words: tuple[str, ...] = (), **filters: bool) -> bool:
        text, _ = LIST.page(Window(filters={of: new_id(), **filters}, words=words))
        return f"FROM {_TABLES[of]} JOIN users" in text

    assert is_walked()
    assert is_walked(active=True)
    assert not is_walked(("lovelace",))
    assert not is_walked(suspended=True)
    assert not is_walked(deleted=True)


async def test_what_was_there_before_gets_its_order_and_nobody_another_version(
    fresh: Any, settings: Settings
) -> None:
    earlier = [item for item in read() if item.version < _VERSION]
    async with Migrator.connect(settings, earlier) as migrator:
        await migrator.up()
    await fresh.execute(_BEFORE)
    as_it_was = await fresh.fetch("SELECT id, version, updated_at FROM users")

    async with Migrator.connect(settings) as migrator:
        await migrator.up()

    ages = await fresh.fetch(
        "SELECT user_created_at FROM user_roles UNION ALL SELECT user_created_at FROM team_members"
    )
    assert [row["user_created_at"] for row in ages] == [THEN, THEN]
    assert await fresh.fetch("SELECT id, version, updated_at FROM users") == as_it_was
    assert await fresh.fetchval("SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'") == 0
