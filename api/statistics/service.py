"""Rules of statistics: which days may be asked for, and how their numbers are told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from api.problems import Invalid
from storage.database import Database
from storage.jobs import queues
from storage.outbox import Depth
from storage.statistics import CountedDay

DEFAULT_DAYS = 30
MAX_DAYS = 400

_PEOPLE = ("verified", "unverified", "suspended", "deleted")
_ACTIVE = ("daily", "weekly", "monthly")
_LETTERS = ("queued", "handed_over", "bounced", "failed", "withheld")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days asked for, both included; None leaves the choice to us."""

    first: date | None = None
    last: date | None = None


class StatisticsService:
    """Tells how many of what there are and were."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def of(self, span: Span) -> dict[str, Any]:
        """Return how things stand, and the days of the span; raise Invalid for one too long."""
        async with self._database.reading() as storage:
            first, last = _bounds(span, (await storage.statistics.today()).astimezone(UTC).date())
            days = await storage.statistics.between(_midnight(first), _midnight(last))
            now = {
                "users": await storage.users.states(),
                "sessions": await storage.sessions.active(),
                "queues": _queues(await storage.outbox.depths()),
            }
        return {"now": now, "days": [_day(day) for day in days]}


def _bounds(span: Span, today: date) -> tuple[date, date]:
    last = span.last or today
    try:
        first = span.first or last - (DEFAULT_DAYS - 1) * _DAY
    except OverflowError:
        raise Invalid.field("to", "Choose a later day.") from None
    if first > last:
        raise Invalid.field("from", f"Not after {last.isoformat()}.")
    if (last - first).days >= MAX_DAYS:
        raise Invalid.field("from", f"At most {MAX_DAYS} days at once.")
    return first, last


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _queues(depths: Iterable[Depth]) -> list[dict[str, Any]]:
    found = {name: {"pending": 0, "handed_over": 0, "dead": 0} for name in queues()}
    for row in depths:
        if row.queue in found and row.state in found[row.queue]:
            found[row.queue][row.state] += row.depth
    return [{"queue": name, **counts} for name, counts in found.items()]


def _day(counted: CountedDay) -> dict[str, Any]:
    counts = counted.counts
    return {
        "day": counted.day.astimezone(UTC).date(),
        "users": _group(counts, "users", _PEOPLE),
        "sign_ups": counts.get("sign_ups"),
        "users_created": counts.get("users_created"),
        "sign_ins": _group(counts, "sign_ins", ("succeeded", "failed")),
        "sessions_opened": counts.get("sessions_opened"),
        "active_users": _group(counts, "active", _ACTIVE),
        "letters": _group(counts, "letters", _LETTERS),
        "dead_jobs": counts.get("jobs_dead"),
    }


def _group(counts: Mapping[str, int], prefix: str, names: Iterable[str]) -> dict[str, int | None]:
    return {name: counts.get(f"{prefix}_{name}") for name in names}
