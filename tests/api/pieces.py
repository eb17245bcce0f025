"""Pieces of content, for tests: written through the front door, teams made behind it."""

from typing import Any

import aiohttp

from ops.ids import new_id
from tests.people import Person, call, id_of

_TEAM = "INSERT INTO teams (id, name) VALUES ($1, $2)"
_JOIN = "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)"
_LEAVE = "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2"
_EVENTS = """
SELECT concat_ws(' ', action, facts ->> 'fields') FROM audit_inbox
WHERE subject_id = $1 AND actor_id = $2 ORDER BY happened_at, id
"""

Piece = dict[str, Any]


async def write(api: aiohttp.ClientSession, who: Person, **facts: Any) -> Piece:
    """Create a piece of content as somebody; return the data of the answer."""
    status, body = await call(api, who, "POST", "/content", {"title": "A title"} | facts)
    assert status == 201, body
    return dict(body["data"])


async def team_of(owner: Any, *people: Person) -> str:
    """Make a team of these people; return its id."""
    team_id = new_id()
    await owner.execute(_TEAM, team_id, f"Team {team_id}")
    for who in people:
        await owner.execute(_JOIN, team_id, id_of(who))
    return str(team_id)


async def leave(owner: Any, team_id: str, who: Person) -> None:
    """Take somebody out of a team."""
    await owner.execute(_LEAVE, team_id, id_of(who))


async def events(owner: Any, piece: Piece, who: Person) -> list[str]:
    """Return what the audit trail says somebody did to a piece, and which fields they changed."""
    rows = await owner.fetch(_EVENTS, piece["id"], id_of(who))
    return [row[0] for row in rows]


async def listed(api: aiohttp.ClientSession, who: Person, query: str = "") -> list[str]:
    """Return the titles of somebody's list, in its order."""
    status, body = await call(api, who, "GET", f"/content?{query}")
    assert status == 200, body
    return [item["title"] for item in body["data"]]
