"""The endpoint of the status page's numbers, for scripts."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api.access import Needs
from api.routing import BASE, Routes
from api.status.figures import Figure
from api.status.schemas import StatusSchema
from api.status.service import Status, StatusService
from storage.roles import Permission

STATUS = web.AppKey("status", StatusService)

routes = Routes(f"{BASE}/admin/status", tag="Operations", aliases=("/api/admin/status",))


@routes.add("GET", "", access=Needs(Permission.STATISTICS_READ), gives=StatusSchema())
async def get_status(request: web.Request) -> Mapping[str, Any]:
    """Get how the house is: figures of the last 15 minutes, processes, and what to look at.

    Measured when somebody asks, at most every five seconds; rates and ratios are those of the
    minute before. Lines have a value for each of `times`, null where nothing was measured. While
    Redis is away, what this process saw last is told, with its age.
    """
    return _told(await request.app[STATUS].now())


def _told(status: Status) -> dict[str, Any]:
    return {
        "verdict": status.verdict,
        "measured_at": status.measured_at,
        "age_seconds": None if status.age is None else round(status.age, 1),
        "redis": status.redis,
        "findings": status.findings,
        "times": status.times,
        "figures": [
            _figure(group, figure) for group, figures in status.groups.items() for figure in figures
        ],
        "processes": status.processes,
    }


def _figure(group: str, figure: Figure) -> dict[str, Any]:
    plan = figure.plan
    return {
        "name": plan.name,
        "group": group,
        "title": plan.title,
        "unit": plan.unit,
        "verdict": figure.verdict,
        "runbook": plan.limit.runbook if plan.limit else None,
        "lines": [
            {"label": line.label, "now": line.now, "values": line.values} for line in figure.lines
        ],
    }
