"""Who is in a team, part by part: a team is small, so that no order of its people has an index."""

from typing import Any
from uuid import UUID

from storage import words
from storage.pages import Cursor, Page, Window
from storage.pages.arguments import Arguments
from storage.teams.records import Member

COLUMNS = """
    users.id, users.email, users.first_name, users.last_name, team_members.role,
    team_members.created_at AS since, teams.version
"""

PEOPLE = """
FROM team_members JOIN users ON users.id = team_members.user_id
JOIN teams ON teams.id = team_members.team_id
"""
LIVING = "users.deleted_at IS NULL"

MEMBER = f"""
SELECT {COLUMNS} {PEOPLE} WHERE team_members.team_id = $1 AND {LIVING} AND users.id = $2
"""

# Order of the members to its expression and type.
ORDERS = {
    "since": ("team_members.created_at", "timestamptz"),
    "firstName": ("lower(users.first_name)", "text"),
    "lastName": ("lower(users.last_name)", "text"),
    "email": ("users.email", "text"),
}


async def fetch_members(connection: Any, team_id: UUID, window: Window) -> Page[Member]:
    """Return a part of who is in a team."""
    rows = await connection.fetch_named("team_members.page", *_part(team_id, window))
    facts = [dict(row) for row in rows[: window.limit]]
    values = [item.pop("sort_value") for item in facts]
    has_next = len(rows) > window.limit
    total = None
    if window.offset is not None:
        [row] = await connection.fetch_named("team_members.count", *_count(team_id, window))
        total = row["count"]
    return Page(
        items=[Member(**item) for item in facts],
        has_next=has_next,
        next=Cursor(values[-1], facts[-1]["id"]) if has_next else None,
        total=total,
    )


def _part(team_id: UUID, window: Window) -> tuple[str, list[Any]]:
    args = Arguments()
    where = _matching(team_id, window, args)
    order, kind = ORDERS[window.sort]
    direction, sign = ("DESC", "<") if window.descending else ("ASC", ">")
    if window.after:
        value, last = (
            args.add(window.after.value, f"text::{kind}"),
            args.add(window.after.id, "uuid"),
        )
        where += f" AND ({order}, users.id) {sign} ({value}, {last})"
    limit, offset = args.add(window.limit + 1, "bigint"), args.add(window.offset or 0, "bigint")
    text = f"""
        SELECT {COLUMNS}, ({order})::text AS sort_value {PEOPLE} WHERE {where}
        ORDER BY {order} {direction}, users.id {direction} LIMIT {limit} OFFSET {offset}
    """
    return text, args.values


def _count(team_id: UUID, window: Window) -> tuple[str, list[Any]]:
    args = Arguments()
    where = _matching(team_id, window, args)
    return f"SELECT count(*) {PEOPLE} WHERE {where}", args.values


def _matching(team_id: UUID, window: Window, args: Arguments) -> str:
    since = "team_members.created_at"
    asked = (
        ("team_members.team_id = $?", team_id),
        ("team_members.role = $?", window.filters.get("role")),
        (f"{since} >= $?", window.since),
        (f"{since} < $?", window.until),
    )
    parts = [LIVING, *(args.narrow(text, value) for text, value in asked if value is not None)]
    found = words.conditions(window.words, table="users")
    return " AND ".join([*parts, *(args.put(text, value) for text, value in found)])
