"""Health endpoints, for load balancers and people."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any, ClassVar

from aiohttp import web
from marshmallow import fields

from api.access import Public
from api.envelope import Answer
from api.health.service import HealthService
from api.routing import Routes
from api.schemas import Outbound

HEALTH = web.AppKey("health", HealthService)

routes = Routes("/health", tag="Health", aliases=("/api/health", "/api/v1/health"))


class LiveSchema(Outbound):
    """A sign of life."""

    example: ClassVar[dict[str, Any]] = {"status": "ok"}

    status = fields.String(required=True)


class CheckSchema(Outbound):
    """One thing looked at."""

    example: ClassVar[dict[str, Any]] = {
        "name": "postgresql",
        "ok": True,
        "milliseconds": 0.8,
        "seen": "answers",
    }

    name = fields.String(required=True)
    ok = fields.Boolean(required=True)
    milliseconds = fields.Float(required=True)
    seen = fields.String(required=True)


class ReadySchema(Outbound):
    """Everything looked at."""

    example: ClassVar[dict[str, Any]] = {"status": "ok", "checks": [CheckSchema.example]}

    status = fields.String(
        required=True, metadata={"description": "ok, degraded (work goes on) or unavailable"}
    )
    checks = fields.List(fields.Nested(CheckSchema), required=True)


@routes.add("GET", "", access=Public(), gives=LiveSchema(), limited=False)
async def get_live(_: web.Request) -> Answer:
    """Say that the process lives; depends on nothing."""
    return Answer(data={"status": "ok"})


@routes.add("GET", "/ready", access=Public(), gives=ReadySchema(), limited=False)
async def get_ready(request: web.Request) -> Answer | web.Response:
    """Say whether requests can be served, and what is wrong if not.

    503 when PostgreSQL or a migration is missing or the process is stopping; `degraded` with 200
    when Redis is away or letters wait, since requests are served all the same.
    """
    health = await request.app[HEALTH].ready()
    data = {"status": health.status, "checks": [asdict(check) for check in health.checks]}
    if health.status == "unavailable":
        return Answer(data=data, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return Answer(data=data)
