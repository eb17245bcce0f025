"""What the database holds when all is over, asked in a few statements."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import asyncpg

_ROWS = {
    "user": """
        SELECT email AS key, first_name, coalesce(bio, '') AS bio, coalesce((
            SELECT string_agg(roles.name, ',' ORDER BY roles.name) FROM user_roles
            JOIN roles ON roles.id = role_id WHERE user_roles.user_id = users.id
        ), '') AS roles
        FROM users LEFT JOIN user_profiles ON user_profiles.user_id = users.id
    """,
    "content": "SELECT body AS key, title FROM content",
    "team": "SELECT name AS key, description FROM teams",
    "member": """
        SELECT teams.name || '/' || users.email AS key, team_members.role FROM team_members
        JOIN teams ON teams.id = team_id JOIN users ON users.id = user_id
    """,
}
_EVENTS = """
SELECT action, request_id, subject_id FROM audit_ledger
UNION ALL SELECT action, request_id, subject_id FROM audit_inbox
"""
_PROMISES = """
SELECT outbox.id, name, queue, request_id, outbox.state, attempts, crashes, last_error,
    extract(epoch FROM outbox.created_at)::float8 AS promised,
    extract(epoch FROM finished_at)::float8 AS finished,
    letters.state AS letter, letters.template, letters.user_id, users.email
FROM outbox LEFT JOIN letters ON letters.id = outbox.id
LEFT JOIN users ON users.id = letters.user_id
ORDER BY outbox.id
"""
_SESSIONS = """
SELECT users.email, end_reason || ' ' || ended_at AS ended, generation
FROM sessions JOIN users ON users.id = user_id ORDER BY sessions.id
"""
_SLOTS = """
SELECT task, count(*) AS slots,
    (SELECT count(*) FROM outbox WHERE name = task) AS promises,
    count(outbox.id) FILTER (WHERE outbox.state = 'done') AS done
FROM clock_slots LEFT JOIN outbox ON outbox.id = promise_id
GROUP BY task
"""
# What is sealed at last is the seal's own work: its promise may be open for a moment always.
OPEN = """
SELECT count(*) FROM outbox
WHERE state IN ('pending', 'handed_over') AND name <> 'audit.seal'
"""
UNSEALED = "SELECT count(*) FROM audit_inbox"


@dataclass(frozen=True, slots=True)
class Found:
    """Rows by table and key, events and promises by request, and the slots of the clock."""

    rows: dict[tuple[str, str], list[dict[str, str]]]
    events: dict[str, list[str]]
    promises: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    # Of each address: the generation of every session, why and when it ended.
    sessions: dict[str, list[str]]
    # What the database's clock is ahead of the monotonic one.
    ahead: float

    def promises_of(self, request_ids: list[str]) -> list[dict[str, Any]]:
        """Return what the requests of a deed promised."""
        wanted = set(request_ids)
        return [promise for promise in self.promises if promise["request_id"] in wanted]


async def look(connection: asyncpg.Connection, monotonic: float) -> Found:
    """Read everything that the judge wants to see, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await _look(connection, monotonic)


async def _look(connection: asyncpg.Connection, monotonic: float) -> Found:
    rows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for table, statement in _ROWS.items():
        for row in await connection.fetch(statement):
            rows[table, row["key"]].append(dict(row))
    events: dict[str, list[str]] = defaultdict(list)
    for row in await connection.fetch(_EVENTS):
        events[row["request_id"] or ""].append(row["action"])
    sessions: dict[str, list[str]] = defaultdict(list)
    for row in await connection.fetch(_SESSIONS):
        sessions[row["email"]].append(f"generation {row['generation']}, {row['ended'] or 'live'}")
    now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return Found(
        rows=rows,
        events=events,
        promises=[dict(row) for row in await connection.fetch(_PROMISES)],
        slots=[dict(row) for row in await connection.fetch(_SLOTS)],
        sessions=sessions,
        ahead=now - monotonic,
    )
