"""What became of a team or a role is found in the audit trail by its id."""

from typing import Any

import aiohttp

from tests.api.holders import events
from tests.api.teams import team
from tests.people import admin, call, id_of, manager, person


async def test_what_became_of_a_team_is_found_by_its_id(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead = await admin(api, owner), await manager(api, owner)
    made, _ = await team(api, lead), await team(api, lead)

    await call(api, lead, "PATCH", f"/teams/{made['id']}", {"name": "Support"})
    await call(api, lead, "DELETE", f"/teams/{made['id']}")
    _, told = await call(api, boss, "GET", f"/audit?filter[subject]={made['id']}&order=asc")

    events = ["team.created", "team.changed", "team.deleted"]
    assert [event["action"] for event in told["data"]] == events
    assert {event["facts"]["team"] for event in told["data"]} == {made["id"]}


async def test_a_role_that_has_another_name_now_is_still_known_by_its_id(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    _, made = await call(api, boss, "POST", "/roles", {"name": "auditor", "rank": 200})
    role_id = made["data"]["id"]

    await call(api, boss, "PUT", f"/users/{id_of(ada)}/roles/auditor")
    await call(api, boss, "PATCH", f"/roles/{role_id}", {"name": "reader"})
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}/roles/reader")

    told = dict(await events(owner, "user.role_given", "role.changed", "user.role_taken"))
    assert told["user.role_given"] == {"role": "auditor", "role_id": role_id}
    assert told["user.role_taken"] == {"role": "reader", "role_id": role_id}
    assert (told["role.changed"]["role"], told["role.changed"]["name"]) == ("auditor", "reader")
    assert told["role.changed"].keys().isdisjoint({"rank", "rank_before"})
