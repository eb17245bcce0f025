"""Endpoints of content."""

from aiohttp import web

from api.content.service import ContentService
from api.routing import BASE, Routes

CONTENT = web.AppKey("content", ContentService)

routes = Routes(f"{BASE}/content", tag="Content", aliases=("/api/content",))
