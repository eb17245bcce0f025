"""Pages that the links of letters open: they prove, confirm and take back e-mail addresses.

Opening one changes nothing, since mail scanners open links; pressing its button does.
"""

from aiohttp import web

from api.access import Public
from api.context import CALL
from api.emails.changes import UndoFailed
from api.emails.handlers import EMAIL_CHANGES, EMAILS
from api.emails.schemas import UndoSchema, UnprovedSchema, VerificationSchema
from api.emails.service import VerificationFailed
from api.pages.forms import by_field, done, failed, filled, own_form, token_of
from api.pages.render import PAGES
from api.problems import Invalid
from api.reading import read_form
from api.routing import Routes

pages = Routes("", tag="Pages")

_AGAIN = ("/resend-verification", "Ask for a new letter")
_unproved = UnprovedSchema()
_verification = VerificationSchema()
_undo = UndoSchema()


@pages.add("GET", "/verify-email", access=Public(), documented=False)
async def show_verification(request: web.Request) -> web.Response:
    """Show a button, or without a token the form for a code."""
    return _form(request, "verify_email", {"token": token_of(request)})


@pages.add("POST", "/verify-email", access=Public(), documented=False)
@own_form
async def submit_verification(request: web.Request) -> web.Response:
    """Verify the address and say how it went."""
    given = filled(await read_form(request), "token", "email", "code")
    try:
        await request.app[EMAILS].verify(_verification.read(given), request[CALL])
    except Invalid as problem:
        return _form(request, "verify_email", given, mistakes=by_field(problem))
    except VerificationFailed as problem:
        return failed(request, problem, way_on=_AGAIN)
    text = "Thank you. Your e-mail address is confirmed; you can close this page."
    return done(request, "Address confirmed", text)


@pages.add("GET", "/resend-verification", access=Public(), documented=False)
async def show_resending(request: web.Request) -> web.Response:
    """Show the form that asks for another letter."""
    return _form(request, "resend_verification", {})


@pages.add("POST", "/resend-verification", access=Public(), documented=False)
@own_form
async def submit_resending(request: web.Request) -> web.Response:
    """Promise a letter, or show the form again with what is wrong."""
    given = filled(await read_form(request), "email")
    try:
        await request.app[EMAILS].resend(_unproved.read(given), request[CALL])
    except Invalid as problem:
        return _form(request, "resend_verification", given, mistakes=by_field(problem))
    text = "If there is an account with this address, not yet confirmed, a letter is on its way."
    return done(request, "Look into your mailbox", text)


@pages.add("GET", "/confirm-email", access=Public(), documented=False)
async def show_confirmation(request: web.Request) -> web.Response:
    """Show a button, or without a token the form for a code."""
    return _form(request, "confirm_email", {"token": token_of(request)})


@pages.add("POST", "/confirm-email", access=Public(), documented=False)
@own_form
async def submit_confirmation(request: web.Request) -> web.Response:
    """Change the address and say how it went."""
    given = filled(await read_form(request), "token", "email", "code")
    try:
        await request.app[EMAIL_CHANGES].confirm(_verification.read(given), request[CALL])
    except Invalid as problem:
        return _form(request, "confirm_email", given, mistakes=by_field(problem))
    text = "Your account has this e-mail address now. Sign in with it from now on."
    return done(request, "Address changed", text)


@pages.add("GET", "/undo-email-change", access=Public(), documented=False)
async def show_undoing(request: web.Request) -> web.Response:
    """Show what taking the account back means, and a button."""
    return _form(request, "undo_email_change", {"token": token_of(request)})


@pages.add("POST", "/undo-email-change", access=Public(), documented=False)
@own_form
async def submit_undoing(request: web.Request) -> web.Response:
    """Take the account back and say how it went."""
    given = filled(await read_form(request), "token")
    try:
        await request.app[EMAIL_CHANGES].undo(_undo.read(given), request[CALL])
    except Invalid as problem:
        raise UndoFailed from problem
    text = (
        "Your account has this e-mail address again, its password is removed and every session was"
        " ended. A letter to choose a new password is on its way."
    )
    return done(request, "Account taken back", text)


def _form(
    request: web.Request,
    page: str,
    given: dict[str, str],
    *,
    mistakes: dict[str, str] | None = None,
) -> web.Response:
    facts = {"given": given, "mistakes": mistakes or {}}
    return request.app[PAGES].response(page, facts, status=400 if mistakes else 200)
