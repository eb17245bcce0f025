"""Pages for whoever forgot a password: they ask for a letter and answer it."""

from typing import Any

from aiohttp import web

from api.access import Public
from api.context import CALL
from api.pages.forms import by_field, done, failed, filled, own_form, token_of
from api.pages.render import PAGES
from api.passwords.handlers import PASSWORDS
from api.passwords.schemas import ForgottenSchema, ResetSchema
from api.passwords.service import ResetFailed
from api.problems import Invalid
from api.reading import read_form
from api.routing import Routes

pages = Routes("", tag="Pages")

_AGAIN = ("/forgot-password", "Ask for a new letter")
_forgotten = ForgottenSchema()
_reset = ResetSchema()


@pages.add("GET", "/forgot-password", access=Public(), documented=False)
async def show_forgotten(request: web.Request) -> web.Response:
    """Show the form that asks for a letter."""
    return _ask(request)


@pages.add("POST", "/forgot-password", access=Public(), documented=False)
@own_form
async def submit_forgotten(request: web.Request) -> web.Response:
    """Promise a letter, or show the form again with what is wrong."""
    given = filled(await read_form(request), "email")
    try:
        await request.app[PASSWORDS].forgot(_forgotten.read(given), request[CALL])
    except Invalid as problem:
        return _ask(request, given=given, mistakes=by_field(problem))
    return done(
        request,
        "Look into your mailbox",
        "If there is an account with this address, a letter is on its way. Its link and its code"
        " let you choose a new password.",
    )


@pages.add("GET", "/reset-password", access=Public(), documented=False)
async def show_reset(request: web.Request) -> web.Response:
    """Show the form for a new password; opening the link alone changes nothing."""
    return _choose(request, given={"token": token_of(request)})


@pages.add("POST", "/reset-password", access=Public(), documented=False)
@own_form
async def submit_reset(request: web.Request) -> web.Response:
    """Set the password, or show the form again with what is wrong and the token kept."""
    given = filled(await read_form(request), "token", "email", "code", "newPassword")
    try:
        await request.app[PASSWORDS].reset(_reset.read(given), request[CALL])
    except Invalid as problem:
        return _choose(request, given=given, mistakes=by_field(problem))
    except ResetFailed as problem:
        return failed(request, problem, way_on=_AGAIN)
    return done(
        request,
        "Password changed",
        "Your new password is set, and every session of your account was ended. Sign in with the"
        " new password.",
    )


def _ask(
    request: web.Request,
    *,
    given: dict[str, str] | None = None,
    mistakes: dict[str, str] | None = None,
) -> web.Response:
    facts: dict[str, Any] = {"given": given or {}, "mistakes": mistakes or {}}
    return request.app[PAGES].response("forgot_password", facts, status=400 if mistakes else 200)


def _choose(
    request: web.Request, *, given: dict[str, str], mistakes: dict[str, str] | None = None
) -> web.Response:
    facts = {"given": given, "mistakes": mistakes or {}}
    return request.app[PAGES].response("reset_password", facts, status=400 if mistakes else 200)
