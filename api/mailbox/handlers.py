"""/dev/mailbox: every letter to look at, in development and only there."""

import asyncio

from aiohttp import web

from api.access import Public
from api.mailbox.service import Mailbox
from api.pages.render import PAGES
from api.routing import Routes

MAILBOX = web.AppKey("mailbox", Mailbox)

pages = Routes("/dev/mailbox", tag="Pages")

# A letter is mail from somewhere else: it may look as it likes, and do nothing.
_LETTER_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pages.add("GET", "", access=Public(), documented=False, limited=False)
async def list_letters(request: web.Request) -> web.Response:
    """List the letters, newest first."""
    letters = await asyncio.to_thread(request.app[MAILBOX].newest)
    return request.app[PAGES].response("mailbox", {"letters": letters})


@pages.add("GET", "/{id}", access=Public(), documented=False, limited=False)
async def get_letter(request: web.Request) -> web.Response:
    """Show a letter: headers, text with its links, and the way to the HTML part."""
    letter = await asyncio.to_thread(request.app[MAILBOX].letter, request.match_info["id"])
    return request.app[PAGES].response("letter", {"letter": letter})


@pages.add("GET", "/{id}/html", access=Public(), documented=False, limited=False)
async def get_letter_html(request: web.Request) -> web.Response:
    """Show the HTML part alone, sandboxed."""
    letter = await asyncio.to_thread(request.app[MAILBOX].letter, request.match_info["id"])
    headers = {"Content-Security-Policy": _LETTER_CSP, "Cache-Control": "no-store"}
    return web.Response(text=letter.html, content_type="text/html", headers=headers)


@pages.add("GET", "/{id}/source", access=Public(), documented=False, limited=False)
async def get_letter_source(request: web.Request) -> web.Response:
    """Show the letter as it was written."""
    source = await asyncio.to_thread(request.app[MAILBOX].source, request.match_info["id"])
    return web.Response(body=source, content_type="text/plain", charset="utf-8")
