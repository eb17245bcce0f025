"""Forms of our pages: taken from our own pages only, and answered with a page whatever happens."""

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from api.envelope import STATUSES
from api.pages.render import PAGES
from api.problems import shown
from ops.errors import Kind, Problem

Handler = Callable[[web.Request], Awaitable[web.Response]]

# Browsers say where a request comes from; `none` is a person, who typed or opened it.
_OWN = frozenset({"same-origin", "none"})
_MAX_TOKEN = 200


class CrossSite(Problem, kind=Kind.FORBIDDEN, code="FORBIDDEN"):
    """This form was sent from another site. Open the page here and fill it in once more."""


def own_form(handler: Handler) -> Handler:
    """Refuse what another site's page posts here; show what goes wrong as a page.

    Fetch metadata, not Origin: under our Referrer-Policy browsers send `Origin: null` with forms.
    """

    @wraps(handler)
    async def guarded(request: web.Request) -> web.Response:
        try:
            if request.headers.get("Sec-Fetch-Site", "none") not in _OWN:
                raise CrossSite
            return await handler(request)
        except Problem as problem:
            return failed(request, problem)

    return guarded


def failed(
    request: web.Request, problem: Problem, *, way_on: tuple[str, str] | None = None
) -> web.Response:
    """Return the page that says what went wrong; `way_on` is an address and its words."""
    facts = {"title": "That did not work", "text": problem.message, "way_on": way_on}
    response = request.app[PAGES].response("message", facts, status=STATUSES[problem.kind])
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def done(request: web.Request, title: str, text: str) -> web.Response:
    """Return the page that says how well it went."""
    return request.app[PAGES].response("message", {"title": title, "text": text})


def token_of(request: web.Request) -> str:
    """Return the token of a letter's link, empty when there is none; nobody looks it up."""
    return shown(request.query.get("token", ""), limit=_MAX_TOKEN)


def filled(form: dict[str, str], *names: str) -> dict[str, str]:
    """Return those fields that somebody filled in."""
    return {name: form[name] for name in names if form.get(name)}


def by_field(problem: Problem) -> dict[str, str]:
    """Return what is wrong, by field, as a form shows it."""
    mistakes: dict[str, list[str]] = {}
    for item in problem.details:
        mistakes.setdefault(item.field, []).append(item.message)
    return {name: ". ".join(messages) for name, messages in mistakes.items()}
