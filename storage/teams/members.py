"""Who is in a team, part by part: a team is small, so that no order of its people has an index."""

from typing import Any
from uuid import UUID

from storage.pages import Cursor, Page, Window, pattern_of
from storage.teams.records import Member

COLUMNS = """
    users.id, users.email, users.first_name, users.last_name, team_members.role,
    team_members.created_at AS since, teams.version
"""

PEOPLE = """
FROM team_members JOIN users ON users.id = team_members.user_id
JOIN teams ON teams.id = team_members.team_id
WHERE team_members.team_id = $1 AND users.deleted_at IS NULL
"""

MEMBER = f"SELECT {COLUMNS} {PEOPLE} AND users.id = $2"

# NULL stands for what is not asked for.
MATCHING = """
AND ($2::text IS NULL OR team_members.role = $2)
AND users.search_text LIKE ALL ($3::text[])
AND ($4::timestamptz IS NULL OR team_members.created_at >= $4)
AND ($5::timestamptz IS NULL OR team_members.created_at < $5)
"""

COUNT = f"SELECT count(*) {PEOPLE} {MATCHING}"

# Order of the members to its expression and type.
ORDERS = {
    "since": ("team_members.created_at", "timestamptz"),
    "firstName": ("lower(users.first_name)", "text"),
    "lastName": ("lower(users.last_name)", "text"),
    "email": ("users.email", "text"),
}


def part_of(window: Window) -> str:
    """Return the statement of a part: its order and direction are chosen among constants."""
    order, kind = ORDERS[window.sort]
    direction, sign = ("DESC", "<") if window.descending else ("ASC", ">")
    return (
        f"SELECT {COLUMNS}, ({order})::text AS sort_value {PEOPLE} {MATCHING}"
        f" AND ($6::text IS NULL OR ({order}, users.id) {sign} ($6::{kind}, $7::uuid))"
        f" ORDER BY {order} {direction}, users.id {direction} LIMIT $8 OFFSET $9"
    )


async def fetch_members(connection: Any, team_id: UUID, window: Window) -> Page[Member]:
    """Return a part of who is in a team."""
    words = [pattern_of(word) for word in window.words]
    asked = (team_id, window.filters.get("role"), words, window.since, window.until)
    after = (window.after.value, window.after.id) if window.after else (None, None)
    cut = (window.limit + 1, window.offset or 0)
    rows = await connection.fetch(part_of(window), *asked, *after, *cut)
    facts = [dict(row) for row in rows[: window.limit]]
    values = [item.pop("sort_value") for item in facts]
    has_next = len(rows) > window.limit
    by_page = window.offset is not None
    return Page(
        items=[Member(**item) for item in facts],
        has_next=has_next,
        next=Cursor(values[-1], facts[-1]["id"]) if has_next else None,
        total=await connection.fetchval(COUNT, *asked) if by_page else None,
    )
