"""Teams deleted: what becomes of their people and their content, and when it is too much."""

import json
from typing import Any

import aiohttp

from tests.api.teams import actions, member, team
from tests.people import call, id_of, manager


async def test_a_deleted_team_takes_neither_people_nor_content_with_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    ada = await member(api, lead, made)
    await owner.execute(
        "INSERT INTO content (id, title, owner_id, team_id)"
        " SELECT gen_random_uuid(), 'Plan', $1, id FROM teams",
        id_of(ada),
    )

    status, told = await call(api, lead, "DELETE", f"/teams/{made['id']}")
    again, _ = await call(api, lead, "DELETE", f"/teams/{made['id']}")

    assert (status, told["message"], again) == (200, "Team deleted", 404)
    assert await owner.fetchval("SELECT count(*) FROM team_members") == 0
    assert await owner.fetchval("SELECT count(*) FROM users WHERE deleted_at IS NULL") == 2
    kept = await owner.fetchrow("SELECT team_id, version, updated_at > created_at FROM content")
    assert tuple(kept) == (None, 2, True)
    assert (await actions(owner))[-1] == "team.deleted"
    noted = "SELECT facts FROM audit_inbox WHERE action = 'team.deleted'"
    assert json.loads(await owner.fetchval(noted)) == {"team": made["id"], "members": 2}


async def test_a_team_is_not_deleted_with_more_content_than_can_be_let_go_at_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    await owner.execute(
        "INSERT INTO content (id, title, body, owner_id, team_id)"
        " SELECT gen_random_uuid(), 'Plan', repeat('plan ', 2000), $1, teams.id"
        " FROM teams, generate_series(1, 50)",
        id_of(lead),
    )

    much, told = await call(api, lead, "DELETE", f"/teams/{made['id']}")
    await owner.execute("DELETE FROM content WHERE id = (SELECT id FROM content LIMIT 1)")

    assert (much, told["error"]["code"]) == (409, "CONFLICT")
    assert (await call(api, lead, "DELETE", f"/teams/{made['id']}"))[0] == 200
    assert await owner.fetchval("SELECT count(*) FROM content WHERE team_id IS NULL") == 49
