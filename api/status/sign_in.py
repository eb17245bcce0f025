"""/ops/sign-in: where administrators sign in with a browser, for the pages under /ops."""

from contextlib import suppress
from http import HTTPStatus

from aiohttp import hdrs, web

from api.access import Public
from api.auth.schemas import CredentialsSchema
from api.envelope import STATUSES
from api.pages.forms import by_field, filled, own_form
from api.pages.render import PAGES
from api.problems import Forbidden, Invalid, InvalidToken
from api.reading import read_form
from api.routing import Routes
from api.status.door import DOOR
from ops.errors import Problem

pages = Routes("/ops", tag="Pages")

STATUS_PATH = "/ops/status"
SIGN_IN_PATH = "/ops/sign-in"

_credentials = CredentialsSchema()


@pages.add("GET", "/sign-in", access=Public(), documented=False)
async def show_sign_in(request: web.Request) -> web.Response:
    """Show the form that administrators sign in with."""
    return _form(request, given={})


@pages.add("POST", "/sign-in", access=Public(), documented=False)
@own_form
async def submit_sign_in(request: web.Request) -> web.Response:
    """Sign somebody in and show them the status page, or show the form again."""
    door, form = request.app[DOOR], await read_form(request)
    door.cookies.check_form(request, form)
    given = filled(form, "email", "password")
    try:
        signed_in = await door.sign_in(_credentials.read(given), request)
    except Invalid as problem:
        return _form(request, given=given, problem=problem, mistakes=by_field(problem))
    except Forbidden:
        raise
    except Problem as problem:
        return _form(request, given=given, problem=problem)
    response = see_other(STATUS_PATH)
    door.cookies.hand_over(response, signed_in.tokens, device_token=signed_in.device_token)
    return response


@pages.add("POST", "/sign-out", access=Public(), documented=False)
@own_form
async def submit_sign_out(request: web.Request) -> web.Response:
    """End the browser's session and show the form to sign in."""
    door = request.app[DOOR]
    door.cookies.check_form(request, await read_form(request))
    response = see_other(SIGN_IN_PATH)
    door.cookies.take_back(response)
    with suppress(InvalidToken):  # there is nothing to end then
        await door.sign_out(request)
    return response


def see_other(path: str) -> web.Response:
    """Return the answer that sends a browser to another page of ours."""
    headers = {hdrs.LOCATION: path}
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers, text=f"See {path}")


def _form(
    request: web.Request,
    *,
    given: dict[str, str],
    problem: Problem | None = None,
    mistakes: dict[str, str] | None = None,
) -> web.Response:
    cookies = request.app[DOOR].cookies
    token = cookies.form_token(request)
    facts = {
        "given": given,
        "mistakes": mistakes or {},
        "refusal": problem.message if problem and not mistakes else "",
        "form_token": token,
    }
    status = STATUSES[problem.kind] if problem else HTTPStatus.OK
    response = request.app[PAGES].response("sign_in", facts, status=status)
    if problem and problem.retry_after is not None:
        response.headers[hdrs.RETRY_AFTER] = str(problem.retry_after)
    cookies.offer_form(response, token)
    return response
