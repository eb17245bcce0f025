"""python -m storage seed --refresh: what else would go with the rows, and whose are left alone."""

import asyncio
import json
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from ops.ids import new_id
from storage.seed.marks import SEEDED
from tests.storage.conftest import Command, Seed

_SOMEBODY = """
INSERT INTO users (id, email, first_name, last_name)
VALUES ($1, 'somebody@mail.example', 'Some', 'Body')
"""
_TEAM = "INSERT INTO teams (id, name) VALUES ($1, 'Ours')"
_SEEDED_PERSON = "SELECT id FROM users WHERE email = 'user@example.com'"
_SEEDED_TEAM = "SELECT id FROM teams WHERE name = 'Support'"
_ALL = """
SELECT (SELECT array_agg(id ORDER BY id) FROM users) AS users,
    (SELECT array_agg(id ORDER BY id) FROM teams) AS teams,
    (SELECT array_agg(id ORDER BY id) FROM content) AS content,
    (SELECT count(*) FROM team_members) AS members
"""
_IN_TEAM = "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)"
_CONTENT = "INSERT INTO content (id, title, owner_id, team_id) VALUES ($1, 'Ours', $2, $3)"


async def seeded_person_in_our_team(empty: Any) -> None:
    team = new_id()
    await empty.execute(_TEAM, team)
    await empty.execute(_IN_TEAM, team, await empty.fetchval(_SEEDED_PERSON))


async def somebody_in_seeded_team(empty: Any) -> None:
    await empty.execute(_SOMEBODY, somebody := new_id())
    await empty.execute(_IN_TEAM, await empty.fetchval(_SEEDED_TEAM), somebody)


async def content_in_seeded_team(empty: Any) -> None:
    await empty.execute(_SOMEBODY, somebody := new_id())
    await empty.execute(_CONTENT, new_id(), somebody, await empty.fetchval(_SEEDED_TEAM))


@pytest.mark.parametrize(
    ("happened", "told", "names"),
    [
        (seeded_person_in_our_team, "1 memberships of seeded people are in teams", ["people"]),
        (somebody_in_seeded_team, "1 people who were not seeded are in seeded teams", ["teams"]),
        (somebody_in_seeded_team, "1 people who were not seeded are in seeded teams", ["people"]),
        (content_in_seeded_team, "1 pieces of content belong to seeded teams", ["teams"]),
    ],
)
async def test_rows_that_people_made_since_keep_what_they_hang_on(  # noqa: PLR0913, PLR0917
    empty: Any, own_environ: dict[str, str], command: Command, seed: Seed,
    happened: Any, told: str, names: list[str],
) -> None:  # fmt: skip
    await seed(own_environ)
    await happened(empty)
    before = await empty.fetchrow(_ALL)

    code, said = await command(own_environ, "seed", "--refresh", *names)

    assert code == 1
    assert told in said
    assert await empty.fetchrow(_ALL) == before


async def test_refreshing_the_few_leaves_the_many_and_the_other_way_round(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await seed(own_environ, "--users", "40")
    many = "SELECT array_agg(id ORDER BY id) FROM users WHERE email NOT LIKE '%@example.com'"
    few = "SELECT array_agg(id ORDER BY id) FROM users WHERE email LIKE '%@example.com'"
    before = await empty.fetchval(many), await empty.fetchval(few)

    people = await seed(own_environ, "--refresh", "people")
    between = await empty.fetchval(many), await empty.fetchval(few)
    users = await seed(own_environ, "--refresh", "users", "--users", "30")
    after = await empty.fetchval(many), await empty.fetchval(few)

    assert people["removed"] == {"content": 60, "teams": 12, "people": 3}
    assert people["password"]
    assert between[0] == before[0]
    assert set(between[1]).isdisjoint(before[1])
    assert users["removed"] == {"content": 60, "teams": 12, "users": 40}
    assert users["added"] == {"users": 30, "teams": 12, "content": 60}
    assert after[1] == between[1]
    noted = "SELECT facts FROM audit_inbox WHERE action = 'user.seeded' ORDER BY id DESC LIMIT 1"
    assert json.loads(await empty.fetchval(noted)) == {
        "users": 30, "teams": 12, "content": 60,
        "removed_users": 40, "removed_teams": 12, "removed_content": 60,
    }  # fmt: skip


async def test_two_runs_at_once_add_everything_once(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    done = await asyncio.gather(*(seed(own_environ, "--users", "300") for _ in range(3)))

    added = [sum(one["added"].values()) for one in done]
    assert sorted(added) == [0, 0, 3 + 300 + 12 + 60]
    assert await empty.fetchval("SELECT count(*) FROM users WHERE id::text LIKE $1", SEEDED) == 303


async def test_many_people_of_no_password_are_let_in_by_none(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    done = await seed(own_environ, "users", "--users", "3")

    assert done["password"] is None
    for row in await empty.fetch("SELECT password_hash FROM users"):
        for guess in ("", "password", "Correct-Horse-9"):
            with pytest.raises(VerifyMismatchError):
                PasswordHasher().verify(row["password_hash"], guess)


async def test_the_seeded_manager_manages_teams_and_the_user_is_in_them(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await seed(own_environ)

    rows = await empty.fetch(
        "SELECT email, array_agg(DISTINCT role) AS roles, count(*) FROM team_members"
        " JOIN users ON users.id = user_id WHERE email LIKE '%@example.com' GROUP BY email"
        " ORDER BY email"
    )

    found = {row["email"]: (row["roles"], row["count"]) for row in rows}
    assert found["manager@example.com"] == (["manager"], 3)
    assert found["user@example.com"] == (["member"], 3)
    assert found["admin@example.com"][0] == ["member"]


async def test_drafts_were_never_published_and_all_else_was(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await seed(own_environ)

    odd = "SELECT count(*) FROM content WHERE (status = 'draft') <> (published_at IS NULL)"
    assert await empty.fetchval(odd) == 0


async def test_more_people_than_there_are_addresses_are_refused_before_anything_else(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    most = await command(own_environ, "seed", "users", "--users", "5000000")
    more = await command(own_environ, "seed", "users", "--users", "5000001")

    assert (most[0], "python -m storage migrate" in most[1]) == (1, True)
    assert more == (1, "--users is a number from 1 to 5000000\n")
