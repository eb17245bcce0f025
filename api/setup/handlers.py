"""The page that makes the first admin."""

from typing import Any

from aiohttp import web

from api.access import Public
from api.auth.schemas import NewUserSchema
from api.context import CALL
from api.pages.forms import by_field, own_form
from api.pages.render import PAGES
from api.problems import Invalid
from api.reading import read_form
from api.routing import Routes
from api.setup.service import SetupClosed, SetupService
from storage.users import EmailTaken

SETUP = web.AppKey("setup", SetupService)

pages = Routes("", tag="Pages")

_FIELDS = ("firstName", "lastName", "email", "password")
_schema = NewUserSchema()


@pages.add("GET", "/setup", access=Public(), documented=False)
async def show_setup(request: web.Request) -> web.Response:
    """Show the form of the first admin, if the link is good."""
    token = request.query.get("token", "")[:200]
    if not await request.app[SETUP].is_open(token):
        return _closed(request)
    return _form(request, token)


@pages.add("POST", "/setup", access=Public(), documented=False)
@own_form
async def submit_setup(request: web.Request) -> web.Response:
    """Create the first admin, or show the form again with what is wrong."""
    form = await read_form(request)
    token = form.get("token", "")[:200]
    given = {name: form.get(name, "") for name in _FIELDS}
    try:
        new = _schema.read(given)
        await request.app[SETUP].create_by_link(token, new, request[CALL])
    except (Invalid, EmailTaken) as problem:
        return _form(request, token, given=given, mistakes=by_field(problem))
    except SetupClosed:
        return _closed(request)
    text = f"{new.email} is the first administrator. You can sign in now."
    return request.app[PAGES].response("message", {"title": "All set", "text": text})


def _form(
    request: web.Request,
    token: str,
    *,
    given: dict[str, str] | None = None,
    mistakes: dict[str, str] | None = None,
) -> web.Response:
    facts: dict[str, Any] = {"token": token, "given": given or {}, "mistakes": mistakes or {}}
    return request.app[PAGES].response("setup", facts, status=400 if mistakes else 200)


def _closed(request: web.Request) -> web.Response:
    facts = {"title": "This link is closed", "text": SetupClosed().message}
    return request.app[PAGES].response("message", facts, status=403)
