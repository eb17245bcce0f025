"""Searches: whom words find, and by which index."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.database import Database
from storage.words import indexed
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import add, page


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "search") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def found(database: Database, *words: str) -> set[str]:
    """Return the addresses of whom a search finds."""
    return {item.email for item in (await page(database, words=words, limit=100)).items}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("%",), {"percent"}),
        (("_",), {"low_line"}),
        (("w_l",), {"low_line"}),
        (("100%",), {"percent"}),
        (("\\",), {"backslash"}),
        (("k\\s",), {"backslash"}),
        (("%%",), set()),
        (("__________",), set()),
        (("...",), set()),
        (("[a-z]",), set()),
        ((".*",), set()),
        (("'; SELECT 1; --",), set()),
    ],
)
async def test_signs_of_patterns_mean_themselves(
    room: OwnDatabase, database: Database, words: tuple[str, ...], expected: set[str]
) -> None:
    await add(room, email="low_line@example.com", first_name="Low_line")
    await add(room, email="percent@example.com", first_name="100%al")
    await add(room, email="backslash@example.com", first_name="Back\\slash")
    await add(room, email="plain@example.com", first_name="Plain")

    names = {email.partition("@")[0] for email in await found(database, *words)}

    assert names == expected


async def test_long_words_are_found_anywhere_short_ones_where_words_start(
    room: OwnDatabase, database: Database
) -> None:
    await add(room, email="g.hopper@navy.example", first_name="Grace", last_name="Hopper")
    await add(room, email="ipek@corp.example", first_name="İpek", last_name="李明")
    grace, ipek = {"g.hopper@navy.example"}, {"ipek@corp.example"}

    assert await found(database, "oppe") == grace
    assert await found(database, "GRACE", "hop") == grace
    assert await found(database, "grace", "ipek") == set()
    assert await found(database, "ho") == await found(database, "g") == grace
    assert await found(database, "na") == grace
    assert await found(database, "op") == await found(database, "r") == set()
    assert await found(database, "İpek") == await found(database, "ip") == ipek
    assert await found(database, "李") == await found(database, "李明") == ipek
    assert await found(database, "ex") == grace | ipek


@pytest.mark.parametrize(
    ("word", "index"),
    [
        ("lovelace", "users_search"),
        ("zx", "users_search"),
        ("q", "users_search"),
        ("%", "users_search_signs"),
        ("e%", "users_search_signs"),
        ("李", "users_search_signs"),
    ],
)
async def test_every_kind_of_word_has_an_index_to_be_found_by(
    room: OwnDatabase, database: Database, word: str, index: str
) -> None:
    asked = indexed([word], table="users")
    where = " AND ".join(
        text.replace("$?", f"${number}") for number, (text, _) in enumerate(asked, 1)
    )

    async with room.owner.transaction():
        # Of an empty table everything would be read whatever indexes there are.
        await room.owner.execute("SET LOCAL enable_seqscan = off")
        await room.owner.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await room.owner.fetch(
            f"EXPLAIN SELECT FROM users WHERE {where}",
            *(value for _, value in asked),
        )

    plan = "\n".join(row[0] for row in rows)
    assert f"Bitmap Index Scan on {index} " in plan, plan
    assert "Index Cond" in plan
