"""Searches in every order: whom they find, against looking through everybody by hand."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.database import Database
from storage.pages import COUNTED_FOUND, Window
from storage.seed.names import FIRST_NAMES, LAST_NAMES
from storage.users import User
from storage.users.listing import LIST
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import THEN

# More than are looked through to tell how common a word is.
_PEOPLE = 3_000
_COLUMNS = (
    "id", "email", "first_name", "last_name", "last_login_at", "created_at", "updated_at",
    "deleted_at", "plan",
)  # fmt: skip
_WORDS = (
    "maria", "papadopoulos", "ann", "zzyzx", "o'brien", "garcía", "chlo", "łuczak", "e", "q", "7",
    "ma", "xu", "42", "zx", "999", "10007", "4711", "m%", "%", "_", "...", "example", "@post.ex",
    "maria.smith", "smith.10", "james.smith.100", "ES.SMITH", "a.b", "maria smith", "smith maria",
    "j 10", "maria zuzana", "j s", "newest", "oldest", "both.ends", "oldest m", "mary-jane",
    "newest@post", "scarce.1234567@post.example", "1234567@post", "scarce.1234567", "ce.12345",
    "scarce.7654321",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What of a person is searched and sorted by."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    plan: str

    def matches(self, words: Sequence[str]) -> bool:
        """Tell it the way the documentation does."""
        parts = "".join(" " if sign in ".@_+-" else sign for sign in self.email)
        text = f" {self.email} {self.first_name} {self.last_name} {parts}".lower()
        return all(
            (f" {word}" if len(word) < 3 and word.isalnum() else word).lower() in text
            for word in words
        )

    def place(self, sort: str) -> tuple[Any, UUID]:
        """Return where the person is in an order, from the smallest on."""
        values = {
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "email": self.email,
            "firstName": self.first_name.lower(),
            "lastName": self.last_name.lower(),
            "lastLoginAt": self.last_login_at or datetime.min.replace(tzinfo=THEN.tzinfo),
        }
        return values[sort], self.id


def living(one: Person) -> bool:
    """Tell of whom lists are unless they are asked for the deleted."""
    return one.deleted_at is None


def narrower(people: Sequence[Person]) -> list[tuple[dict[str, Any], Callable[[Person], bool]]]:
    """Return what a list can be narrowed by, and whom that leaves."""
    since, until = people[1_000].created_at, people[2_500].created_at
    return [
        ({}, living),
        ({"filters": {"plan": "premium"}}, lambda one: living(one) and one.plan == "premium"),
        ({"filters": {"plan": "free"}}, lambda one: living(one) and one.plan == "free"),
        ({"filters": {"deleted": True}}, lambda one: not living(one)),
        ({"since": since}, lambda one: living(one) and one.created_at >= since),
        ({"until": until}, lambda one: living(one) and one.created_at < until),
    ]


def steadily(number: int) -> datetime:
    """Two a minute."""
    return THEN + timedelta(minutes=number // 2)


def in_bursts(number: int) -> datetime:
    """Hundreds at once, years in between, then some hours apart, some seconds apart."""
    if number < 1_200:
        return THEN - timedelta(days=900 - number // 400 * 300)
    if number < 2_000:
        return THEN + timedelta(hours=number)
    return THEN + timedelta(days=400, seconds=number)


def crowd(made: Callable[[int], datetime]) -> list[Person]:
    """Make people up: words that many have, that few have, and that only old or new ones have."""
    chance = random.Random(4)
    people = []
    for number in range(_PEOPLE):
        first, last = chance.choice(FIRST_NAMES[:60]), chance.choice(LAST_NAMES)
        local = f"{first}.{last}.{10_000 + number}".lower().replace("'", "")
        if number < 40:
            last = "Oldest"
        if number >= _PEOPLE - 12:
            last = "Newest"
        if number < 9 or number >= _PEOPLE - 9:
            local = f"both.ends.{number}"
        if number % 500 == 3:  # who is in no part of their address
            first, local = "Mary-Jane", f"other.{number}"
        if number == 7 or chance.random() < 0.001:
            local = f"scarce.{1_234_567 if number == 7 else number}"
        made_at = made(number)
        people.append(
            Person(
                id=new_id(),
                email=f"{local}@{chance.choice(('post', 'mail'))}.example",
                first_name=first,
                last_name=last,
                last_login_at=made_at if chance.random() < 0.5 else None,
                created_at=made_at,
                updated_at=made_at + timedelta(days=chance.randrange(9)),
                deleted_at=made_at if chance.random() < 0.03 else None,
                plan="premium" if number % 1_000 < 150 else "free",
            )
        )
    return people


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "results") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


@pytest.mark.parametrize("made", [steadily, in_bursts])
async def test_a_search_finds_in_every_order_whom_looking_through_everybody_finds(
    room: OwnDatabase, database: Database, made: Callable[[int], datetime]
) -> None:
    people = crowd(made)
    rows = [tuple(getattr(one, name) for name in _COLUMNS) for one in people]
    await room.owner.copy_records_to_table("users", records=rows, columns=_COLUMNS)
    await room.owner.execute("ANALYZE users")
    chance = random.Random(5)

    for text in _WORDS:
        words = tuple(text.split())
        for sort in ("createdAt", "createdAt", *chance.sample(sorted(LIST.orders), 3)):
            asked, is_left = chance.choice([narrower(people)[0], *narrower(people)])
            meant = [one for one in people if is_left(one) and one.matches(words)]
            descending = chance.random() < 0.5
            expected = sorted(meant, key=lambda one: one.place(sort), reverse=descending)
            window = Window(
                sort=sort,
                descending=descending,
                words=words,
                limit=chance.choice((1, 5, 20, 100)),
                offset=chance.choice((0, 0, 5, 150)),
                **asked,
            )
            async with database.reading() as storage:
                part = await storage.users.page(window)
            walked = [one async for one in walk(database, window, parts=3)]

            start = window.offset or 0
            assert_same(part.items, expected[start : start + window.limit], window)
            assert_same(walked, expected[: 3 * window.limit], window)
            if part.total_is_exact:
                assert part.total == len(meant), window
            else:
                assert part.total is not None, window
                assert part.total <= len(meant), window
                assert len(words) > 1 or len(meant) > COUNTED_FOUND, window


async def walk(database: Database, window: Window, *, parts: int) -> AsyncIterator[User]:
    """Walk some parts by cursor."""
    after = None
    for _ in range(parts):
        async with database.reading() as storage:
            part = await storage.users.page(replace(window, offset=None, after=after))
        for item in part.items:
            yield item
        after = part.next
        if after is None:
            return


def assert_same(found: Sequence[User], expected: Sequence[Person], window: Window) -> None:
    """Tell of the first few when they differ."""
    ids = [one.id for one in found]
    assert ids == [one.id for one in expected], (window, *islice(found, 3))
