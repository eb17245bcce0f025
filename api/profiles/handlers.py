"""Endpoints of profiles."""

from aiohttp import web

from api.profiles.service import ProfileService
from api.routing import BASE, Routes

PROFILES = web.AppKey("profiles", ProfileService)

routes = Routes(f"{BASE}/users", tag="Profiles", aliases=("/api/users",))
