"""Signing keys: one at a time is made, an hour passes before it signs, none is retired early."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ops.crypto import CannotOpen, KeyRing, SecretKey
from ops.metrics import Metrics
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.key_pairs import make_pair, read_private, read_public
from storage.key_rotation import (
    Reason,
    RotationError,
    ensure_key,
    replace_all,
    retire,
    retire_unneeded,
    rotate,
    rotate_old,
)
from storage.signing_keys import KeyState
from tests.conftest import MakeSettings
from tests.own_database import OwnDatabase, opened, own_database

EDDSA, ES256, RS256 = TokenAlgorithm
NEXT, SIGNING, VERIFYING, RETIRED = KeyState
HOUR = 3_600


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_storage") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: MakeSettings) -> AsyncIterator[Database]:
    """Open it, without any key."""
    async with opened(room, make_settings) as database:
        yield database


async def states(database: Database) -> list[str]:
    """Return the state of every key, the newest first."""
    async with database.reading() as storage:
        return [str(key.state) for key in await storage.signing_keys.listed()]


async def ids(database: Database) -> list[str]:
    """Return the id of every key, the newest first."""
    async with database.reading() as storage:
        return [key.id for key in await storage.signing_keys.listed()]


async def audited(room: OwnDatabase) -> list[tuple[str, Any]]:
    """Return what the audit trail was told: the action, and why or which."""
    rows = await room.owner.fetch("SELECT action, facts FROM audit_inbox ORDER BY id")
    return [(row["action"], json.loads(row["facts"]).get("reason")) for row in rows]


@pytest.mark.parametrize("algorithm", TokenAlgorithm)
async def test_a_pair_is_read_back_as_it_was_made_and_as_no_other_algorithm(
    database: Database, room: OwnDatabase, algorithm: TokenAlgorithm
) -> None:
    pair = await make_pair(algorithm)
    async with database.transaction() as storage:
        await storage.signing_keys.add(pair, wait=0)

    async with database.reading() as storage:
        (kept,) = await storage.signing_keys.all()

    assert (kept.algorithm, kept.public_key, kept.private_key) == (
        algorithm,
        pair.public,
        pair.private,
    )
    public = read_public(algorithm, kept.public_key)
    assert read_private(algorithm, kept.private_key).public_key() == public
    assert pair.private not in await room.owner.fetchval("SELECT private_key FROM signing_keys")
    assert "private" not in repr(pair) + repr(kept)
    for other in set(TokenAlgorithm) - {algorithm}:
        with pytest.raises(ValueError, match=r".+"):
            read_private(other, kept.private_key)
        with pytest.raises(ValueError, match=r".+"):
            read_public(other, kept.public_key)


async def test_a_key_cannot_be_opened_under_other_secrets_or_in_another_row(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)
    stranger = await Database.open(
        room.urls["database_url"],
        keys=KeyRing([SecretKey("k1", b"2" * 32)]),
        metrics=Metrics(),
        name="stranger",
    )

    async with stranger.reading() as storage:
        with pytest.raises(CannotOpen):
            await storage.signing_keys.all()
    await stranger.close()

    await room.owner.execute("UPDATE signing_keys SET id = 'moved'")
    async with database.reading() as storage:
        with pytest.raises(CannotOpen):
            await storage.signing_keys.all()


@pytest.mark.parametrize("algorithm", TokenAlgorithm)
async def test_five_processes_that_start_at_once_make_one_key(
    database: Database, room: OwnDatabase, algorithm: TokenAlgorithm
) -> None:
    await asyncio.gather(*(ensure_key(database, algorithm) for _ in range(5)))

    assert list((await room.states()).values()) == [algorithm]
    assert await states(database) == [SIGNING]
    assert await audited(room) == [("signing_key.created", "first")]


async def test_a_changed_algorithm_makes_one_key_that_waits_an_hour(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)

    await asyncio.gather(*(ensure_key(database, ES256) for _ in range(5)))

    assert await states(database) == [NEXT, SIGNING]
    assert list((await room.states()).values()) == [EDDSA, ES256]
    assert (await audited(room))[1:] == [("signing_key.rotated", "algorithm")]
    await room.age(HOUR - 10)
    assert await states(database) == [NEXT, SIGNING]
    await room.age(20)
    assert await states(database) == [SIGNING, VERIFYING]


async def test_processes_of_two_algorithms_do_not_pile_up_keys(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)

    for _ in range(4):
        await ensure_key(database, RS256)
        await ensure_key(database, EDDSA)

    assert list((await room.states()).values()) == [EDDSA]
    await ensure_key(database, RS256)
    assert list((await room.states()).values()) == [EDDSA, RS256]


async def test_rotating_again_within_the_hour_finds_the_key_that_waits(
    database: Database,
) -> None:
    await ensure_key(database, EDDSA)

    found = await asyncio.gather(*(rotate(database, EDDSA, reason=Reason.COMMAND) for _ in "12345"))

    assert [item.made for item in found].count(True) == 1
    assert len({(item.key_id, item.signs_from) for item in found}) == 1
    assert await states(database) == [NEXT, SIGNING]


async def test_a_key_is_old_when_its_age_says_so_and_not_before(
    database: Database, room: OwnDatabase
) -> None:
    assert await rotate_old(database, EDDSA, seconds=100) is None
    await ensure_key(database, EDDSA)
    assert await rotate_old(database, EDDSA, seconds=100) is None

    await room.age(101)
    made = await rotate_old(database, EDDSA, seconds=100)
    again = await rotate_old(database, EDDSA, seconds=100)

    assert made
    assert again
    assert (made.made, again.made) == (True, False)
    assert await states(database) == [NEXT, SIGNING]


async def test_a_key_grows_old_from_when_it_was_made_on(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)
    await rotate(database, EDDSA, reason=Reason.COMMAND)
    await room.age(HOUR + 300)

    async with database.reading() as storage:
        signing = await storage.signing_keys.signing()

    assert signing
    assert HOUR + 300 <= signing.age < HOUR + 400
    made = await rotate_old(database, EDDSA, seconds=HOUR)
    assert made
    assert made.made


async def test_a_key_is_retired_when_no_token_of_it_can_be_alive(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)
    await rotate(database, EDDSA, reason=Reason.COMMAND)
    oldest = (await ids(database))[1]

    await room.age(HOUR + 900 + HOUR - 10)  # until it signs, a token's life, the leeway
    assert await retire_unneeded(database, token_seconds=900) == []
    await room.age(20)
    assert await retire_unneeded(database, token_seconds=901 + 60) == []
    assert await retire_unneeded(database, token_seconds=900) == [oldest]
    assert await retire_unneeded(database, token_seconds=900) == []

    assert await states(database) == [SIGNING, RETIRED]
    erased = "SELECT private_key = '' FROM signing_keys WHERE id = $1"
    assert await room.owner.fetchval(erased, oldest)
    assert (await audited(room))[-1][0] == "signing_key.retired"
    assert await room.owner.fetchval("SELECT count(*) FROM revocations") == 0


async def test_a_stolen_key_is_replaced_at_once_and_everybody_told(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)
    await rotate(database, EDDSA, reason=Reason.COMMAND)
    old = await ids(database)

    made = await replace_all(database, EDDSA)

    assert await room.states() == {made.key_id: EDDSA}
    assert made.key_id not in old
    assert await states(database) == [SIGNING, RETIRED, RETIRED]
    everything = "SELECT count(*) FROM revocations WHERE session_id IS NULL AND user_id IS NULL"
    assert await room.owner.fetchval(everything) == 1
    assert (await audited(room))[2:] == [
        ("signing_key.rotated", "compromise"),
        ("signing_key.retired", None),
        ("signing_key.retired", None),
    ]


async def test_only_a_key_that_does_not_sign_can_be_retired_and_only_once(
    database: Database, room: OwnDatabase
) -> None:
    await ensure_key(database, EDDSA)
    await rotate(database, EDDSA, reason=Reason.COMMAND)
    await room.age(HOUR + 1)
    new, old = await ids(database)

    await retire(database, old)

    for key_id, why in ((new, "signs now"), (old, "already"), ("'; --", "no key is called")):
        with pytest.raises(RotationError, match=why):
            await retire(database, key_id)
    assert await states(database) == [SIGNING, RETIRED]
    assert await room.owner.fetchval("SELECT count(*) FROM revocations") == 1
