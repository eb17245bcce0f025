"""What is written most writes to no index: PostgreSQL puts the new version beside the old one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.ids import new_id
from storage.database import Database
from storage.teams import TeamRole
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.crowd import add

_SPARED = "SELECT pg_stat_get_xact_tuples_hot_updated($1::text::regclass)"
_WRITTEN = "SELECT pg_stat_get_xact_tuples_updated($1::text::regclass)"
_HASH = "$argon2id$v=19$m=19456,t=2,p=1$salt$a"
_OPEN = """
INSERT INTO sessions (id, user_id, key_id, amr, authenticated_at, expires_at, absolute_expires_at)
VALUES ($1, $2, 'k1', '{pwd}', now(), date_bin('1 day', now(), '2000-01-01 00:00:00+00')
    + interval '7 days', now() + interval '90 days')
"""


@pytest.fixture(scope="module")
async def room(home: Any, addresses: Any, make_settings: Any) -> AsyncIterator[OwnDatabase]:
    """Run a database of these tests' own."""
    async with own_database(home, make_settings, "hot") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: Any) -> AsyncIterator[Database]:
    """Open it, empty."""
    async with opened(room, make_settings) as made:
        yield made


async def test_a_sign_in_writes_to_no_index_of_the_people(
    room: OwnDatabase, database: Database
) -> None:
    (somebody, *_) = await add(room, 3)

    async with database.transaction() as storage:
        for _ in range(3):
            assert await storage.users.logged_in(somebody, 1)
        spared = await storage._connection.fetchval(_SPARED, "users")
        written = await storage._connection.fetchval(_WRITTEN, "users")

    assert spared == written == 3


async def test_a_role_given_a_team_joined_and_a_password_changed_write_to_no_index_of_the_people(
    room: OwnDatabase, database: Database
) -> None:
    (somebody, *_) = await add(room, 3)
    await room.owner.execute("UPDATE users SET password_hash = $1", _HASH)

    async with database.transaction() as storage:
        role = await storage.roles.by_name("guest")
        assert await storage.roles.give(somebody, role.id)
        team_id = await storage.teams.add(name="Analysts", description="")
        await storage.teams.put_member(team_id, somebody, TeamRole.MEMBER)
        assert await storage.credentials.set_password(somebody, f"{_HASH}b", credential_version=1)
        spared = await storage._connection.fetchval(_SPARED, "users")
        written = await storage._connection.fetchval(_WRITTEN, "users")

    assert spared == written == 3


async def test_a_refresh_writes_to_no_index_of_the_sessions_until_its_end_is_another_day(
    room: OwnDatabase, database: Database
) -> None:
    (somebody,) = await add(room)
    session_id = new_id()
    await room.owner.execute(_OPEN, session_id, somebody)
    week = 7 * 86_400

    async with database.transaction() as storage:
        for generation, seconds in enumerate((week, week, 2 * week)):
            moved = await storage.sessions.rotate_all(
                {session_id: generation}, key_id="k1", seconds=seconds
            )
            assert moved
        spared = await storage._connection.fetchval(_SPARED, "sessions")
        written = await storage._connection.fetchval(_WRITTEN, "sessions")

    assert (spared, written) == (2, 3)
