"""Plans of lists: kept where the values do not decide about them, made anew where they do."""

import re
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
# The 500 newest, or oldest, a minute apart, all others ten minutes. Some have a name of their own.
_MANY = """
INSERT INTO users (id, email, first_name, last_name, created_at)
SELECT gen_random_uuid(), 'many.' || number || '@example.com', 'Many', CASE
        WHEN number IN (600, 610) THEN 'Lovelace' WHEN number IN (620, 1500) THEN 'Hopper'
        WHEN number = 2900 THEN 'Turing' ELSE 'Many' END,
    $1::timestamptz + $2 * (number + 9 * greatest(number - 500, 0)) * interval '1 minute'
FROM generate_series(1, 3000) AS number
"""
_ALIKE = [
    [Window(words=(word,)) for word in ("lovelace", "zzyzx", "many", "q", "example", "9")],
    [Window(words=("lovelace", word)) for word in ("ada", "zzyzx", "by")],
    [Window(words=("many",), descending=False, limit=limit) for limit in (1, 2, 50)],
    [Window(words=(word,), sort="email") for word in ("lovelace", "zzyzx", "many", "q")],
    [Window(words=(word,), sort="updatedAt") for word in ("lovelace", "zzyzx", "many", "q")],
    [Window(sort="email", limit=limit) for limit in (1, 2, 50)],
    [
        Window(sort="lastLoginAt", offset=None, after=Cursor(value, new_id()))
        for value in ("-infinity", "2026-01-01 00:00:00+00", "2030-01-01 00:00:00+00")
    ],
]


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
        Window(words=("%",), sort="email"),
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


async def test_other_lists_keep_one_plan_that_values_do_not_decide_about(
    room: OwnDatabase, database: Database
) -> None:
    await many(room)

    async with database.reading() as storage:
        for window in [window for alike in _ALIKE for window in alike] * 6:
            await storage.users.page(window)
        kept = await storage._connection.fetch(_KEPT)

    # PostgreSQL plans five times before it compares.
    found = sorted((row["custom_plans"], row["generic_plans"]) for row in kept)
    assert found == sorted((5, 6 * len(alike) - 5) for alike in _ALIKE)


@pytest.mark.parametrize(
    "asked", [{}, {"sort": "email"}, {"sort": "updatedAt"}, {"words": ("many", "q")}]
)
async def test_a_kept_list_reads_only_the_rows_of_its_part_from_the_table(
    room: OwnDatabase, database: Database, asked: dict[str, Any]
) -> None:
    await many(room)

    plan = await explained(room, Window(**asked, offset=None), "")

    assert "Index Scan using users_pkey on users" in plan
    assert "Seq Scan on users" not in plan


async def test_a_kept_search_walks_the_order_and_asks_the_words_index_in_every_part(
    room: OwnDatabase, database: Database
) -> None:
    await many(room)

    plan = await explained(room, Window(words=("lovelace", "q")), "")

    assert plan.count("Scan Backward using users_by_created_at on users") == 1, plan
    assert plan.count("Bitmap Index Scan on users_search ") == 3, plan
    asked = [line for line in plan.splitlines() if "Index Cond: " in line and "~~" in line]
    assert [line.count("date_bin") > 0 for line in asked] == [True, True, False], plan
    assert {line.count("~~") for line in asked} == {2}, plan


@pytest.mark.parametrize("sort", ["email", "updatedAt"])
async def test_a_kept_search_in_another_order_counts_what_is_common_among_the_newest(
    room: OwnDatabase, database: Database, sort: str
) -> None:
    await many(room)

    plan = await explained(room, Window(words=("many",), sort=sort), "(ANALYZE, TIMING OFF)")
    async with database.reading() as storage:
        part = await storage.users.page(Window(words=("many",), sort=sort))

    [found] = re.findall(r"Bitmap Index Scan on users_search .*", plan)
    assert "never executed" in found, plan
    assert plan.count("Scan Backward using users_by_created_at on users") == 2, plan
    assert (part.total, part.total_is_exact) == (100, False)


async def test_a_filtered_search_walks_no_more_of_an_order_of_texts_than_one_without(
    room: OwnDatabase, database: Database
) -> None:
    await many(room)
    await room.owner.execute("UPDATE users SET plan = 'premium' WHERE email < 'many.11'")
    asked = Window(words=("many",), filters={"plan": "premium"}, sort="email", limit=1, offset=None)

    plan = await explained(room, asked, "(ANALYZE, COSTS OFF, TIMING OFF)")
    async with database.reading() as storage:
        part = await storage.users.page(asked)

    read = re.findall(r"users_email_living on users.* rows=(\d+)", plan)
    assert [int(rows) <= 200 * 2 + 1 for rows in read] == [True], plan
    assert part.has_next
    assert [item.email for item in part.items] == ["many.10@example.com"]


@pytest.mark.parametrize("way", ["DESC", "ASC"])
@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("many", {"span": 0, "longer": 0, "everything": 0}),
        ("lovelace", {"span": 2, "longer": 0, "everything": 0}),
        ("hopper", {"span": 1, "longer": 2, "everything": 0}),
        ("turing", {"span": 0, "longer": 0, "everything": 1}),
    ],
)
async def test_a_search_looks_no_further_than_it_has_to(
    room: OwnDatabase, database: Database, word: str, found: dict[str, int], way: str
) -> None:
    await many(room, way)
    window = Window(words=(word,), descending=way == "DESC", limit=1, offset=None)

    plan = await explained(room, window, "(ANALYZE, COSTS OFF, TIMING OFF)")
    async with database.reading() as storage:
        part = await storage.users.page(window)

    for name, rows in found.items():
        first = plan.partition(f"CTE {name}\n")[2].partition("\n")[0]
        assert re.findall(r"rows=(\d+)", first) == [str(rows)], (name, plan)
    [person] = await room.owner.fetch(
        f"SELECT id FROM users WHERE search_text LIKE $1 ORDER BY created_at {way} LIMIT 1",  # noqa: S608
        f"%{word}%",
    )
    assert [item.id for item in part.items] == [person["id"]]
    assert part.has_next == (word != "turing")


async def many(room: OwnDatabase, way: str = "DESC") -> None:
    """Add so many people that an index is worth something, and let PostgreSQL know of them.

    In both orders of time the same ones come first.
    """
    await room.owner.execute(_MANY, THEN, -1 if way == "DESC" else 1)
    await room.owner.execute("ANALYZE users")


async def explained(room: OwnDatabase, window: Window, how: str) -> str:
    """Return the plan that is kept."""
    statement, args = LIST.page(window)
    async with room.owner.transaction():
        await room.owner.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await room.owner.fetch(f"EXPLAIN {how} {statement}", *args)
    return "\n".join(row[0] for row in rows)
