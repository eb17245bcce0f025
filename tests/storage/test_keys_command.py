"""python -m storage keys: it says what it did, and asks before tokens die."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.key_rotation import Reason, ensure_key, rotate
from tests.conftest import MakeSettings
from tests.own_database import OwnDatabase, opened, own_database
from tests.storage.conftest import Command
from tests.storage.test_signing_keys import EDDSA, NEXT, SIGNING, ids, states

# Ids of this process may be ahead of those of a command: tests that travelled were here before.
_NOTED = "SELECT action, facts FROM audit_inbox ORDER BY happened_at"


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_command") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: MakeSettings) -> AsyncIterator[Database]:
    """Open it, without any key."""
    async with opened(room, make_settings) as database:
        yield database


async def test_the_commands_tell_what_they_did_and_ask_before_tokens_die(
    database: Database, room: OwnDatabase, environ: dict[str, str], command: Command
) -> None:
    own = environ | {name.upper(): url for name, url in room.urls.items()}
    none = await command(own, "keys", "list")
    await ensure_key(database, EDDSA)
    (first,) = await ids(database)

    made = await command(own, "keys", "rotate")
    again = await command(own, "keys", "rotate")
    listed = await command(own, "keys", "list")
    facts = await command(own, "keys", "list", "--json")
    unasked = await command(own, "keys", "rotate", "--now")
    unwilling = await command(own, "keys", "rotate", "--now", said="yes\n")
    refused = await command(own, "keys", "retire", first, "--yes")

    assert none == (0, "there is no key yet; the first web process makes one\n")
    second = (await ids(database))[0]
    assert made[0] == again[0] == 0
    assert made[1].startswith(f"{second} will sign from 2")
    assert again[1].startswith(f"{second} is waiting already and will sign from 2")
    rows = [line.split() for line in listed[1].splitlines()]
    assert rows[0][:4] == ["ID", "ALGORITHM", "AGE", "STATE"]
    assert [(key_id, state) for key_id, _, _, state, _ in rows[1:]] == [
        (second, "next"),
        (first, "signing"),
    ]
    assert [(row["id"], row["state"]) for row in json.loads(facts[1])] == [
        (second, "next"),
        (first, "signing"),
    ]
    assert "private" not in facts[1]
    assert unasked[0] == unwilling[0] == refused[0] == 1
    assert "nothing was changed" in unasked[1]
    assert "nothing was changed" in unwilling[1]
    assert f"{first} signs now" in refused[1]
    assert await states(database) == [NEXT, SIGNING]


async def test_the_commands_for_a_stolen_key_do_what_was_meant(
    database: Database, room: OwnDatabase, environ: dict[str, str], command: Command
) -> None:
    own = environ | {name.upper(): url for name, url in room.urls.items()}
    await ensure_key(database, EDDSA)
    await rotate(database, EDDSA, reason=Reason.COMMAND)
    waiting, first = await ids(database)

    withdrawn = await command(own, "keys", "retire", waiting, said="retire\n")
    replaced = await command(own | {"TOKEN_ALGORITHM": "ES256"}, "keys", "rotate", "--now", "--yes")
    unknown = await command(own, "keys", "retire", "nobody", "--yes")
    keyless = await command(own | {"SECRET_KEYS": ""}, "keys", "list")

    assert withdrawn[0] == 0
    assert f"{waiting} is retired" in withdrawn[1]
    assert replaced[0] == 0
    ((key_id, algorithm),) = (await room.states()).items()
    assert replaced[1] == f"{key_id} signs now; every other key is retired\n"
    assert (algorithm, first == key_id) == ("ES256", False)
    assert unknown[0] == 1
    assert "no key is called nobody" in unknown[1]
    assert keyless[0] == 78
    assert "SECRET_KEYS" in keyless[1]


async def test_what_commands_did_is_in_the_trail_with_the_key_and_why(
    database: Database, room: OwnDatabase, environ: dict[str, str], command: Command
) -> None:
    own = environ | {name.upper(): url for name, url in room.urls.items()}
    await ensure_key(database, EDDSA)
    await command(own, "keys", "rotate")
    waiting, first = await ids(database)
    await command(own, "keys", "retire", waiting, "--yes")

    rows = await room.owner.fetch(_NOTED)

    noted = [(row["action"], json.loads(row["facts"])) for row in rows]
    made = {"algorithm": "EdDSA"}
    assert noted == [
        ("signing_key.created", made | {"key": first, "reason": "first"}),
        ("signing_key.rotated", made | {"key": waiting, "reason": "command"}),
        ("signing_key.retired", {"key": waiting}),
    ]


async def test_the_list_tells_how_old_each_key_is_and_since_when_it_is_retired(
    database: Database, room: OwnDatabase, environ: dict[str, str], command: Command
) -> None:
    own = environ | {name.upper(): url for name, url in room.urls.items()}
    await ensure_key(database, EDDSA)
    for seconds, shown in ((60, "1m"), (3_540, "1h"), (82_800, "1d"), (864_000, "11d")):
        await room.age(seconds)
        (line,) = (await command(own, "keys", "list"))[1].splitlines()[1:]
        assert line.split()[2] == shown
    await command(own, "keys", "rotate", "--now", "--yes")

    new, old = json.loads((await command(own, "keys", "list", "--json"))[1])

    assert (new["state"], new["retiredAt"], new["ageSeconds"] < 600) == ("signing", None, True)
    assert (old["state"], old["ageSeconds"] // 86_400) == ("retired", 11)
    made, retired = (datetime.fromisoformat(old[name]) for name in ("createdAt", "retiredAt"))
    assert retired - made >= timedelta(days=11)
    assert datetime.fromisoformat(old["signsFrom"]) == made
