"""Where Prometheus finds the metrics of every process (its HTTP service discovery)."""

import re
from typing import Any, ClassVar

from aiohttp import web
from marshmallow import fields

from api.access import OpsToken
from api.routing import Routes
from api.schemas import Outbound
from storage.redis import Redis, RedisAway

REDIS = web.AppKey("redis", Redis)


class TargetsSchema(Outbound):
    """One group of targets, as Prometheus' http_sd_configs reads it."""

    example: ClassVar[dict[str, Any]] = {
        "targets": ["127.0.0.1:20123"],
        "labels": {"process": "web.1"},
    }

    targets = fields.List(fields.String(), required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def _type_of(name: str) -> str:
    """Return the Procfile's word for a process: web for web.1 and web.1-2."""
    return re.split(r"[.-]", name, maxsplit=1)[0]


def make_routes(ops_token: str) -> Routes:
    """Return the routes, guarded by OPS_TOKEN."""
    routes = Routes("/ops/prometheus", tag="Operations")

    @routes.add(
        "GET",
        "/targets",
        access=OpsToken(ops_token),
        gives=TargetsSchema(many=True),
        problems=(RedisAway,),
        limited=False,
    )
    async def get_targets(request: web.Request) -> web.Response:
        """List the metrics listeners of all processes.

        A bare list, as Prometheus wants it. 503 while Redis is away, so that Prometheus keeps what
        it knows instead of forgetting every process.
        """
        found = await request.app[REDIS].targets()
        groups = [
            {"targets": [target], "labels": {"process": name, "process_type": _type_of(name)}}
            for name, target in ((key.partition("@")[0], found[key]) for key in found)
        ]
        return web.json_response(groups)

    return routes
