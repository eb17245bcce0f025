"""Endpoints of users."""

from aiohttp import web

from api.routing import BASE, Routes
from api.users.service import UserService

USERS = web.AppKey("users", UserService)

routes = Routes(f"{BASE}/users", tag="Users", aliases=("/api/users",))
