"""The page at the root, and the style sheet of all pages."""

from aiohttp import web

from api.access import Public
from api.mailbox.handlers import MAILBOX
from api.pages.render import PAGES, style_sheet
from api.routing import Routes

pages = Routes("", tag="Pages")


@pages.add("GET", "/", access=Public(), documented=False)
async def show_home(request: web.Request) -> web.Response:
    """Show where everything is."""
    return request.app[PAGES].response("home", {"mailbox": MAILBOX in request.app})


@pages.add("GET", "/assets/ostiary.css", access=Public(), documented=False, limited=False)
async def get_style_sheet(request: web.Request) -> web.Response:
    """Return the style sheet."""
    return await style_sheet(request)
