"""/ops/status and the runbooks it names: pages for administrators, and what they are drawn with."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path

from aiohttp import web

from api.access import Public
from api.assets import Asset, asset_file
from api.pages.forms import failed
from api.pages.render import PAGES, Pages
from api.problems import Forbidden, NotFound
from api.routing import Routes
from api.status.catalogue import GROUPS
from api.status.charts import HEIGHT, WIDTH, Timeline, chart_of
from api.status.door import DOOR
from api.status.findings import RUNBOOKS
from api.status.handlers import STATUS
from api.status.service import Status
from api.status.sign_in import SIGN_IN_PATH, see_other
from api.status.wording import shown
from ops.errors import Problem

pages = Routes("", tag="Pages")

PACE_SECONDS = 5

_ASSETS = Path(__file__).parents[1] / "pages" / "assets"
_RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
_TYPES = {"status.css": "text/css", "status.js": "text/javascript"}
# That of all pages, and a script of ours that asks for this page again.
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ALL_RUNBOOKS = RUNBOOKS | {
    plan.limit.runbook for plans in GROUPS.values() for plan in plans if plan.limit
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


def for_administrators(handler: Handler) -> Handler:
    """Send whoever is not signed in to the form; show what goes wrong as a page."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.Response:
        door = request.app[DOOR]
        try:
            visitor = await door.visitor(request)
        except Problem as problem:
            response = failed(request, problem)
            if isinstance(problem, Forbidden):
                door.cookies.take_back(response)  # their session has ended
            return response
        if visitor is None:
            return see_other(SIGN_IN_PATH)
        try:
            response = await handler(request)
        except Problem as problem:
            response = failed(request, problem)
        # Whatever the answer is: the tokens before these will soon be taken for stolen ones.
        if visitor.renewed:
            door.cookies.hand_over(response, visitor.renewed)
        return response

    return guarded


@pages.add("GET", "/ops/status", access=Public(), documented=False, limited=False)
@for_administrators
async def show_status(request: web.Request) -> web.Response:
    """Draw how the house is; `?paused` draws it once."""
    cookies, status = request.app[DOOR].cookies, await request.app[STATUS].now()
    token = cookies.form_token(request)
    facts = {"form_token": token, "paused": "paused" in request.query}
    # Ten thousand points are some milliseconds, which nobody else shall wait for.
    response = await asyncio.to_thread(_page, request.app[PAGES], status, facts)
    cookies.offer_form(response, token)
    return response


@pages.add("GET", "/ops/runbooks/{name}", access=Public(), documented=False)
@for_administrators
async def show_runbook(request: web.Request) -> web.Response:
    """Show a runbook that the status page names."""
    name = request.match_info["name"]
    path = _RUNBOOKS / f"{name}.md"
    if name not in _ALL_RUNBOOKS or not path.is_file():
        raise NotFound
    text = asset_file(path, "text/markdown").body.decode()
    return request.app[PAGES].response("runbook", {"name": name, "text": text})


@pages.add("GET", "/assets/status.css", access=Public(), documented=False, limited=False)
@pages.add("GET", "/assets/status.js", access=Public(), documented=False, limited=False)
async def get_status_asset(request: web.Request) -> web.Response:
    """Return the style sheet or the script of the status page."""
    asset = _asset(request.path.rpartition("/")[2])
    return asset.answer(request, cache_control="public, max-age=3600")


def _asset(name: str) -> Asset:
    return asset_file(_ASSETS / name, _TYPES[name])


def _page(renderer: Pages, status: Status, facts: dict[str, object]) -> web.Response:
    timeline = Timeline.of(status.times, status.now)
    charts = {
        group: [chart_of(figure, timeline) for figure in figures]
        for group, figures in status.groups.items()
    }
    facts |= {
        "status": status,
        "charts": charts,
        "size": (WIDTH, HEIGHT),
        "shown": shown,
        "since": status.times[0] if status.times else None,
        "pace": PACE_SECONDS,
        "assets": {name: _asset(name).version for name in _TYPES},
    }
    response = renderer.response("status", facts)
    response.headers["Content-Security-Policy"] = _CSP
    return response
