"""The endpoint of statistics."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from api.access import Needs
from api.problems import Invalid, shown
from api.routing import BASE, Routes
from api.statistics.schemas import StatisticsSchema
from api.statistics.service import DEFAULT_DAYS, MAX_DAYS, Span, StatisticsService
from ops.errors import Detail
from storage.roles import Permission

STATISTICS = web.AppKey("statistics", StatisticsService)

routes = Routes(f"{BASE}/admin/stats", tag="Statistics", aliases=("/api/admin/stats",))

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_QUERIES: Mapping[str, Mapping[str, Any]] = {
    "from": {
        "type": "string",
        "format": "date",
        "description": f"First day; {DEFAULT_DAYS} days in all unless said, {MAX_DAYS} at most.",
    },
    "to": {"type": "string", "format": "date", "description": "Last day; today unless said."},
}


@routes.add(
    "GET",
    "",
    access=Needs(Permission.STATISTICS_READ),
    gives=StatisticsSchema(),
    queries=_QUERIES,
)
async def get_statistics(request: web.Request) -> dict[str, Any]:
    """Get how many people, sign-ins, sessions and letters there are, and were on each day.

    Days are UTC and counted every hour, today and yesterday anew each time. Sign-ins are of the
    audit trail; who is active used a session. `now` is of this moment.
    """
    return await request.app[STATISTICS].of(_span(request))


def _span(request: web.Request) -> Span:
    found, wrong = {}, []
    for name in sorted(set(request.query)):
        given = request.query.getall(name)
        if name not in _QUERIES:
            wrong.append(Detail(shown(name), "There are from and to."))
        elif len(given) > 1:
            wrong.append(Detail(name, "Send it once."))
        elif (day := _day(given[0])) is None:
            wrong.append(Detail(name, "Send a day such as 2026-11-21."))
        else:
            found[name] = day
    if wrong:
        raise Invalid(details=wrong[:20])
    return Span(first=found.get("from"), last=found.get("to"))


def _day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
