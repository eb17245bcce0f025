"""Endpoints and the page of proving an e-mail address."""

from aiohttp import web

from api.access import Public
from api.context import CALL
from api.emails.schemas import VerificationSchema
from api.emails.service import EmailService, Verification, VerificationFailed
from api.envelope import Answer
from api.pages.render import PAGES
from api.reading import read_form
from api.routing import BASE, Routes

EMAILS = web.AppKey("emails", EmailService)

routes = Routes(f"{BASE}/auth", tag="E-mail addresses", aliases=("/api/auth", "/auth"))
pages = Routes("", tag="Pages")


@routes.add(
    "POST",
    "/verify-email",
    access=Public(),
    takes=VerificationSchema(),
    problems=(VerificationFailed,),
)
async def verify_email(request: web.Request, body: Verification) -> Answer:
    """Verify an e-mail address with the token or the code of its letter."""
    await request.app[EMAILS].verify(body, request[CALL])
    return Answer(message="Email verified successfully")


@pages.add("GET", "/verify-email", access=Public(), documented=False)
async def show_verification(request: web.Request) -> web.Response:
    """Show a button; opening the link alone changes nothing, since mail scanners open links."""
    token = request.query.get("token", "")[:200]
    return request.app[PAGES].response("verify_email", {"token": token})


@pages.add("POST", "/verify-email", access=Public(), documented=False)
async def submit_verification(request: web.Request) -> web.Response:
    """Verify the address and say how it went."""
    form = await read_form(request)
    try:
        await request.app[EMAILS].verify(
            Verification(token=form.get("token", "")[:200] or "-"), request[CALL]
        )
    except VerificationFailed as problem:
        return request.app[PAGES].response("message", _failed(problem), status=400)
    return request.app[PAGES].response("message", _done())


def _failed(problem: VerificationFailed) -> dict[str, str]:
    return {"title": "That did not work", "text": problem.message}


def _done() -> dict[str, str]:
    return {
        "title": "Address confirmed",
        "text": "Thank you. Your e-mail address is confirmed; you can close this page.",
    }
