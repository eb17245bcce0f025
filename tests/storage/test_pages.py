"""Lists: every row once whatever the order, each filter, honest totals."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from ops.ids import new_id
from storage.database import Database
from storage.pages import COUNTED_FOUND, COUNTED_MATCHES, Cursor, Window
from storage.users import User
from storage.users.listing import LIST
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import THEN, add, page

_WAYS = [(sort, way) for sort in LIST.orders for way in ("desc", "asc")]
_MANY = """
INSERT INTO users (id, email, first_name, last_name)
SELECT gen_random_uuid(), 'many.' || number || '@example.com', 'Many', 'Many'
FROM generate_series(1, $1::int) AS number
"""
_USER_ROLE = "SELECT id FROM roles WHERE name = 'user'"


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "pages") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def walk(database: Database, **asked: Any) -> AsyncIterator[User]:
    """Walk the list by cursor from its beginning to its end."""
    after: Cursor | None = None
    while True:
        part = await page(database, offset=None, after=after, **asked)
        for item in part.items:
            yield item
        if not part.has_next:
            return
        after = part.next


@pytest.mark.parametrize(("sort", "way"), _WAYS)
async def test_a_walk_gives_everybody_once_in_order_although_many_are_alike(
    room: OwnDatabase, database: Database, sort: str, way: str
) -> None:
    ids = await add(room, 23)

    walked = [item async for item in walk(database, sort=sort, descending=way == "desc", limit=4)]

    assert len(walked) == 23
    assert {item.id for item in walked} == set(ids)
    order = f"{LIST.orders[sort]} {way}, id {way}"
    expected = await room.owner.fetch(f"SELECT id FROM users ORDER BY {order}")  # noqa: S608
    assert [str(item.id) for item in walked] == [str(row["id"]) for row in expected]


@pytest.mark.parametrize(("sort", "way"), _WAYS)
async def test_a_walk_gives_those_who_were_there_once_while_others_come(
    room: OwnDatabase, database: Database, sort: str, way: str
) -> None:
    ids = await add(room, 12)
    walked = []

    async for item in walk(database, sort=sort, descending=way == "desc", limit=3):
        walked.append(item.id)
        if len(walked) < 12:
            await add(room, 2)

    assert len(walked) == len(set(walked))
    assert set(ids) <= set(walked)


@pytest.mark.parametrize(("sort", "way"), _WAYS)
async def test_pages_give_everybody_once(
    room: OwnDatabase, database: Database, sort: str, way: str
) -> None:
    ids = await add(room, 11)

    parts = [
        await page(database, sort=sort, descending=way == "desc", limit=4, offset=offset)
        for offset in (0, 4, 8)
    ]

    assert sorted(item.id for part in parts for item in part.items) == sorted(ids)
    assert [part.has_next for part in parts] == [True, True, False]
    assert {(part.total, part.total_is_exact) for part in parts} == {(11, True)}


@pytest.mark.parametrize(("sort", "way"), _WAYS)
async def test_a_search_gives_everybody_meant_once_in_order_however_many_come_before(
    room: OwnDatabase, database: Database, sort: str, way: str
) -> None:
    meant = await add(room, 7, last_name="Wanted")
    await room.owner.execute(_MANY, 450)  # more than are looked through for one
    order = f"{LIST.orders[sort]} {way}, id {way}"
    expected = await room.owner.fetch(
        f"SELECT id FROM users WHERE id = ANY($1) ORDER BY {order}",  # noqa: S608
        meant,
    )
    asked = {"sort": sort, "descending": way == "desc", "words": ("wanted",), "limit": 1}

    walked = [item.id async for item in walk(database, **asked)]
    pages = [await page(database, **asked, offset=number) for number in range(7)]

    assert [str(one) for one in walked] == [str(row["id"]) for row in expected]
    assert [part.items[0].id for part in pages] == walked
    assert {(part.total, part.total_is_exact) for part in pages} == {(7, True)}


async def test_every_order_direction_and_filter_is_planned_and_runs(
    room: OwnDatabase, database: Database
) -> None:
    (user_id,) = await add(room)
    role_id = await room.owner.fetchval(_USER_ROLE)
    values = {"role": role_id, "team": new_id(), "plan": "free", "id": [new_id()], "email": "a@b.c"}
    after = Cursor("2026-01-01 00:00:00+00", new_id())
    filters: list[dict[str, Any]] = [{name: values.get(name, True)} for name in LIST.conditions]

    for (sort, way), chosen, words, at in product(
        _WAYS, [{}, *filters], [(), ("ada", "x", "%")], [None, after]
    ):
        window = Window(
            sort=sort, descending=way == "desc", filters=chosen, words=words, after=at,
            since=THEN, until=THEN + timedelta(days=1), offset=None if at else 0,
        )  # fmt: skip
        for statement, args in (LIST.page(window), LIST.count(window)):
            await room.owner.fetch(statement, *args)
    everybody = await page(database, filters={"id": [user_id]})

    assert [item.id for item in everybody.items] == [user_id]


async def test_filters_give_whom_they_name(room: OwnDatabase, database: Database) -> None:
    await add(room, email="plain@example.com")
    await add(room, email="suspended@example.com", is_active=False)
    await add(room, email="verified@example.com", email_verified=True)
    await add(room, email="premium@example.com", plan="premium")
    await add(room, email="gone@example.com", deleted_at=THEN)
    (user_id,) = await add(room, email="role@example.com", created_at=THEN + timedelta(days=9))
    role_id = await room.owner.fetchval(_USER_ROLE)
    await room.owner.execute(
        "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2)", user_id, role_id
    )

    async def names(**asked: Any) -> str:
        part = await page(database, **asked)
        return " ".join(sorted(item.email.partition("@")[0] for item in part.items))

    assert await names() == "plain premium role suspended verified"
    assert await names(filters={"suspended": True}) == "suspended"
    assert await names(filters={"active": True}) == "plain premium role verified"
    assert await names(filters={"verified": True}) == "verified"
    assert await names(filters={"verified": False, "active": True}) == "plain premium role"
    assert await names(filters={"plan": "premium"}) == "premium"
    assert await names(filters={"deleted": True}) == "gone"
    assert await names(filters={"role": role_id}) == "role"
    assert await names(filters={"email": "plain@example.com"}) == "plain"
    assert await names(filters={"id": [user_id]}) == "role"
    assert await names(since=THEN + timedelta(days=1)) == "role"
    assert await names(until=THEN) == ""


async def test_totals_are_exact_up_to_the_bound_and_honest_beyond(
    room: OwnDatabase, database: Database
) -> None:
    await add(room, COUNTED_FOUND, last_name="Many")
    exact = await page(database, words=("many",))
    last_but_one = await page(database, words=("many",), offset=COUNTED_FOUND - 21)
    await add(room, last_name="Many")

    beyond = await page(database, words=("many",))
    deep = await page(database, words=("many",), offset=COUNTED_FOUND - 5)
    nothing = await page(database, words=("many",), offset=5_000)
    several = await page(database, words=("many", "person"))
    far = await page(database, words=("many", "person"), offset=5_000)
    cursor = await page(database, words=("many",), offset=None)
    unfiltered = await page(database)

    assert (exact.total, exact.total_is_exact) == (COUNTED_FOUND, True)
    assert (last_but_one.total, last_but_one.total_is_exact) == (COUNTED_FOUND, True)
    assert (beyond.total, beyond.total_is_exact) == (COUNTED_FOUND, False)
    assert (deep.total, deep.total_is_exact) == (COUNTED_FOUND + 1, True)
    assert (nothing.total, nothing.total_is_exact) == (COUNTED_FOUND, False)
    assert (several.total, several.total_is_exact) == (21, False)
    assert (far.total, far.total_is_exact) == (1, False)
    assert cursor.total is None
    assert (unfiltered.total, unfiltered.total_is_exact) == (COUNTED_FOUND + 1, True)


async def test_what_matches_a_filter_is_counted_less_far_than_what_is_of_a_time(
    room: OwnDatabase, database: Database
) -> None:
    await add(room, COUNTED_MATCHES, plan="premium")
    premium = {"filters": {"plan": "premium"}}
    exact = await page(database, **premium)
    await add(room, plan="premium")

    beyond = await page(database, **premium)
    deep = await page(database, **premium, offset=COUNTED_MATCHES - 5)
    of_a_time = await page(database, since=THEN)

    assert (exact.total, exact.total_is_exact) == (COUNTED_MATCHES, True)
    assert (beyond.total, beyond.total_is_exact) == (COUNTED_MATCHES, False)
    assert (deep.total, deep.total_is_exact) == (COUNTED_MATCHES + 1, True)
    assert (of_a_time.total, of_a_time.total_is_exact) == (COUNTED_MATCHES + 1, True)


async def test_no_statement_has_anything_of_a_caller_in_its_text() -> None:
    planted = "canary' OR true --"
    window = Window(
        filters=dict.fromkeys(LIST.conditions, planted),
        words=(planted, "%canary"),
        after=Cursor(planted, new_id()),
        since=THEN,
        until=THEN,
        limit=98_765,
    )

    for statement, args in (LIST.page(window), LIST.count(window)):
        assert "canary" not in statement
        assert "98766" not in statement
        assert planted in args
