"""What became of a team or a role is found in the audit trail by its id."""

from typing import Any

import aiohttp

from tests.api.teams import team
from tests.people import admin, call, manager


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
