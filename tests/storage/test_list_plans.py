"""Plans of lists: kept where the values do not decide about them, made anew where they do."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.ids import new_id
from storage.database import Database
from storage.pages import Cursor, Window
from storage.users.listing import LIST
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import THEN, add

_KEPT = """
SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements
WHERE statement LIKE '%AS part%' AND statement NOT LIKE '%pg_prepared_statements%'
"""
_MANY = """
INSERT INTO users (id, email, first_name, last_name, created_at)
SELECT gen_random_uuid(), 'many.' || number || '@example.com', 'Many', 'Many',
    now() - number * interval '1 hour'
FROM generate_series(1, 3000) AS number
"""


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "plans") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def test_no_plan_is_kept_of_a_list_whose_values_decide_about_it(
    room: OwnDatabase, database: Database
) -> None:
    await add(room, 3)
    decided = (
        Window(words=("lovelace",), sort="email"),
        Window(words=("lovelace",), filters={"plan": "free"}),
        Window(words=("%",)),
        Window(words=("ada", "é")),
        Window(filters={"verified": False}),
        Window(since=THEN),
    )

    async with database.reading() as storage:
        for window in decided * 10:
            await storage.users.page(window)
        kept = await storage._connection.fetch(_KEPT)

    assert kept == []


@pytest.mark.parametrize(
    "windows",
    [
        [Window(words=(word,)) for word in ("lovelace", "zzyzx", "ada", "q", "person", "9")],
        [Window(words=("lovelace", word)) for word in ("ada", "zzyzx", "by")],
        [Window(words=("ada",), descending=False, limit=limit) for limit in (1, 2, 50)],
        [Window(sort="email", limit=limit) for limit in (1, 2, 50)],
        [
            Window(sort="lastLoginAt", offset=None, after=Cursor(value, new_id()))
            for value in ("-infinity", "2026-01-01 00:00:00+00", "2030-01-01 00:00:00+00")
        ],
    ],
)
async def test_other_lists_keep_one_plan_that_values_do_not_decide_about(
    room: OwnDatabase, database: Database, windows: list[Window]
) -> None:
    await add(room, 30)

    async with database.reading() as storage:
        for window in windows * 6:
            await storage.users.page(window)
        (kept,) = await storage._connection.fetch(_KEPT)

    # PostgreSQL plans five times before it compares.
    assert (kept["custom_plans"], kept["generic_plans"]) == (5, 6 * len(windows) - 5)


async def test_a_kept_search_walks_the_order_and_asks_the_words_index_in_every_part(
    room: OwnDatabase, database: Database
) -> None:
    await room.owner.execute(_MANY)
    await room.owner.execute("ANALYZE users")
    statement, args = LIST.page(Window(words=("lovelace", "q")))

    async with room.owner.transaction():
        await room.owner.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await room.owner.fetch(f"EXPLAIN {statement}", *args)

    plan = "\n".join(row[0] for row in rows)
    assert plan.count("Scan Backward using users_by_created_at on users") == 1, plan
    assert plan.count("Bitmap Index Scan on users_search ") == 3, plan
    asked = [line for line in plan.splitlines() if "Index Cond: " in line and "~~" in line]
    assert [line.count("date_bin") > 0 for line in asked] == [True, True, False], plan
    assert {line.count("~~") for line in asked} == {2}, plan
