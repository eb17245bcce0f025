"""Endpoints of roles."""

from aiohttp import web

from api.roles.service import RoleService
from api.routing import BASE, Routes

ROLES = web.AppKey("roles", RoleService)

routes = Routes(f"{BASE}", tag="Roles", aliases=("/api",))
