"""Statistics: how many of what on which day (UTC), counted anew as often as one likes.

What happened on a day comes out the same whenever it is counted; how things stood on a day is what
was found when it was last counted. Ids are UUIDv7, so that the events of a day lie together in the
index of the ledger; an id is made at the time it tells of, give or take the margin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from storage.users.repository import STATES

DAY = timedelta(days=1)
ACTIVE = ("active_daily", "active_weekly", "active_monthly")

_MARGIN = timedelta(hours=2)
_ACTIONS = ("user.registered", "user.created", "session.opened", "session.refused")

TODAY = "SELECT date_trunc('day', now(), 'UTC')"

# An event stands in the inbox or in the ledger, never in both. Old partitions are left out.
EVENTS = """
WITH events AS (
    SELECT action, subject_id, request_id FROM audit_ledger
    WHERE action = ANY($1) AND id >= $2 AND id < $3 AND happened_at >= $4 AND happened_at < $5
      AND sealed_at >= $4::timestamptz - interval '1 day'
    UNION ALL
    SELECT action, subject_id, request_id FROM audit_inbox
    WHERE action = ANY($1) AND id >= $2 AND id < $3 AND happened_at >= $4 AND happened_at < $5
), arrived AS (
    SELECT count(*) AS sessions FROM events AS opened JOIN events AS registered
        ON registered.subject_id = opened.subject_id AND registered.request_id = opened.request_id
    WHERE opened.action = 'session.opened' AND registered.action = 'user.registered'
)
SELECT
    count(*) FILTER (WHERE action = 'user.registered') AS sign_ups,
    count(*) FILTER (WHERE action = 'user.created') AS users_created,
    count(*) FILTER (WHERE action = 'session.opened') AS sessions_opened,
    count(*) FILTER (WHERE action = 'session.opened') - (SELECT sessions FROM arrived)
        AS sign_ins_succeeded,
    count(*) FILTER (WHERE action = 'session.refused') AS sign_ins_failed
FROM events
"""

LETTERS = """
SELECT 'letters_' || states.state AS name, count(letters.id) AS value
FROM unnest(ARRAY['queued', 'handed_over', 'bounced', 'failed', 'withheld']) AS states (state)
LEFT JOIN letters ON letters.state = states.state
    AND letters.created_at >= $1 AND letters.created_at < $1::timestamptz + interval '1 day'
GROUP BY states.state
"""

# A session tells of its last use and of the last one on a day before that.
USED = """
SELECT
    count(DISTINCT user_id) FILTER (WHERE used_at >= $1) AS active_daily,
    count(DISTINCT user_id) FILTER (WHERE used_at >= $1::timestamptz - interval '6 days')
        AS active_weekly,
    count(DISTINCT user_id) AS active_monthly
FROM (
    SELECT user_id, CASE WHEN last_used_at < $1::timestamptz + interval '1 day'
        THEN last_used_at ELSE used_before_at END AS used_at
    FROM sessions
    WHERE last_used_at >= $1::timestamptz - interval '29 days'
) AS uses
WHERE used_at >= $1::timestamptz - interval '29 days'
"""

STANDING = f"""
SELECT 'users_' || state AS name, people AS value FROM ({STATES}) AS users
UNION ALL
SELECT 'jobs_dead', count(*) FROM outbox WHERE state = 'dead'
"""  # noqa: S608 - constants

KEEP = """
INSERT INTO statistics (day, name, value)
SELECT $1, name, value FROM unnest($2::text[], $3::bigint[]) AS counted (name, value)
ON CONFLICT (day, name) DO UPDATE SET value = excluded.value, updated_at = now()
WHERE statistics.value <> excluded.value
"""

LAST_DAY = "SELECT max(day) FROM statistics"

DATABASE_BYTES = "SELECT pg_database_size(current_database())"

BETWEEN = """
SELECT day, jsonb_object_agg(name, value) AS counts FROM statistics
WHERE day >= $1 AND day <= $2 GROUP BY day ORDER BY day
"""

NEWEST = """
SELECT name, value FROM statistics
WHERE name = ANY($1::text[])
  AND day = (SELECT max(day) FROM statistics WHERE name = ($1::text[])[1])
"""


@dataclass(frozen=True, slots=True)
class CountedDay:
    """A day by the midnight UTC it begins with, and its numbers; what is not known is not there."""

    day: datetime
    counts: Mapping[str, int]


class Statistics:
    """Numbers of days."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def today(self) -> datetime:
        """Return the midnight UTC that this day began with, by PostgreSQL's clock."""
        midnight: datetime = await self._connection.fetchval(TODAY)
        return midnight

    async def last_day(self) -> datetime | None:
        """Return the newest day that was counted."""
        day: datetime | None = await self._connection.fetchval(LAST_DAY)
        return day

    async def events(self, day: datetime) -> dict[str, int]:
        """Count what happened on a day, from the audit trail."""
        end = day + DAY
        bounds = (_least_id(day - _MARGIN), _least_id(end + _MARGIN), day, end)
        return dict(await self._connection.fetchrow(EVENTS, list(_ACTIONS), *bounds))

    async def letters(self, day: datetime) -> dict[str, int]:
        """Count the letters promised on a day by what has become of them."""
        return dict(map(tuple, await self._connection.fetch(LETTERS, day)))

    async def active(self, day: datetime) -> dict[str, int]:
        """Count who used a session on a day, in the 7 and in the 30 days that end with it.

        True of today and yesterday only: of days before, sessions do not tell.
        """
        return dict(await self._connection.fetchrow(USED, day))

    async def standing(self) -> dict[str, int]:
        """Count people by state, and dead jobs, as they are now."""
        return dict(map(tuple, await self._connection.fetch(STANDING)))

    async def keep(self, day: datetime, counts: Mapping[str, int]) -> None:
        """Write numbers of a day down, in place of those counted before."""
        await self._connection.execute(KEEP, day, list(counts), list(counts.values()))

    async def between(self, first: datetime, last: datetime) -> list[CountedDay]:
        """Return the days that were counted, the oldest first."""
        return [CountedDay(*row) for row in await self._connection.fetch(BETWEEN, first, last)]

    async def database_bytes(self) -> int:
        """Return what our database takes on disk."""
        return int(await self._connection.fetchval(DATABASE_BYTES))

    async def newest_active(self) -> dict[str, int]:
        """Return how many people are active, as last counted; nothing before the first time."""
        return dict(map(tuple, await self._connection.fetch(NEWEST, list(ACTIVE))))


def _least_id(moment: datetime) -> UUID:
    """Return the least UUIDv7 of a millisecond."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
