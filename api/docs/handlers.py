"""The API reference: an interactive page, the OpenAPI document, and the list of error codes."""

import asyncio
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from api.access import Public
from api.assets import Asset, asset_file
from api.docs.errors import rows
from api.pages.render import PAGES
from api.routing import Routes

OPENAPI = web.AppKey[Callable[[], Asset]]("openapi")

pages = Routes("/api/docs", tag="Pages")

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_FILE = re.compile(r"/api/docs/static/([\w.-]+)")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)


@pages.add("GET", "", access=Public(), documented=False, limited=False)
async def show_docs(request: web.Request) -> web.Response:
    """Show the interactive reference."""
    page = await asyncio.to_thread(_page)
    response = page.answer(request, cache_control="no-cache")
    response.headers["Content-Security-Policy"] = _CSP
    return response


@pages.add("GET", "/openapi.json", access=Public(), documented=False, limited=False)
async def get_openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI document."""
    asset = await asyncio.to_thread(request.app[OPENAPI])
    return asset.answer(request, cache_control="no-cache")


@pages.add("GET", "/errors", access=Public(), documented=False, limited=False)
async def show_errors(request: web.Request) -> web.Response:
    """Show every error code, its status and what to do."""
    return request.app[PAGES].response("errors", {"rows": rows()})


@pages.add("GET", "/static/{name}", access=Public(), documented=False, limited=False)
async def get_static(request: web.Request) -> web.Response:
    """Return one of the files of the reference."""
    name = request.match_info["name"]
    if name not in _FILES:
        raise web.HTTPNotFound
    asset = await asyncio.to_thread(_file, name)
    return asset.answer(request, cache_control="public, max-age=86400")


def made_once(document: Callable[[], dict[str, Any]]) -> Callable[[], Asset]:
    """Return what gives the document as it is served, and makes it when it is asked for first.

    A process would take five times as long to be ready if it made it at its start.
    """

    @cache
    def made() -> Asset:
        return Asset.of(orjson.dumps(document()), "application/json")

    return made


def _file(name: str) -> Asset:
    return asset_file(_STATIC / name, _FILES[name])


@cache
def _page() -> Asset:
    """Return the page, whose files are named with their versions: they may be kept for good."""
    text = (_STATIC / "index.html").read_text(encoding="utf-8")

    def versioned(found: re.Match[str]) -> str:
        return f"{found[0]}?v={_file(found[1]).version}"

    return Asset.of(_FILE.sub(versioned, text).encode(), "text/html")
