"""The API reference: an interactive page, the OpenAPI document, and the list of error codes."""

from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from api.access import Public
from api.docs.errors import rows
from api.pages.render import PAGES
from api.routing import Routes

OPENAPI = web.AppKey("openapi", bytes)

pages = Routes("/api/docs", tag="Pages")

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)


@pages.add("GET", "", access=Public(), documented=False, limited=False)
async def show_docs(_: web.Request) -> web.FileResponse:
    """Show the interactive reference."""
    headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"}
    return web.FileResponse(_STATIC / "index.html", headers=headers)


@pages.add("GET", "/openapi.json", access=Public(), documented=False, limited=False)
async def get_openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI document."""
    return web.Response(body=request.app[OPENAPI], content_type="application/json")


@pages.add("GET", "/errors", access=Public(), documented=False, limited=False)
async def show_errors(request: web.Request) -> web.Response:
    """Show every error code, its status and what to do."""
    return request.app[PAGES].response("errors", {"rows": rows()})


@pages.add("GET", "/static/{name}", access=Public(), documented=False, limited=False)
async def get_static(request: web.Request) -> web.FileResponse:
    """Return one of the files of the reference."""
    name = request.match_info["name"]
    if name not in _FILES:
        raise web.HTTPNotFound
    headers = {"Content-Type": _FILES[name], "Cache-Control": "public, max-age=86400"}
    return web.FileResponse(_STATIC / name, headers=headers)


def encoded(document: dict[str, Any]) -> bytes:
    """Return the document as it is served."""
    return orjson.dumps(document)
