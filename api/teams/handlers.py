"""Endpoints of teams."""

from aiohttp import web

from api.routing import BASE, Routes
from api.teams.service import TeamService

TEAMS = web.AppKey("teams", TeamService)

routes = Routes(f"{BASE}/teams", tag="Teams", aliases=("/api/teams",))
