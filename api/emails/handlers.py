"""Endpoints of proving and changing an e-mail address."""

from aiohttp import web

from api.access import Public, SignedIn, StepUpRequired, principal_of, require_recent
from api.context import CALL
from api.emails.changes import EmailChange, EmailChangeService, Undo, UndoFailed
from api.emails.schemas import EmailChangeSchema, UndoSchema, UnprovedSchema, VerificationSchema
from api.emails.service import EmailService, Unproved, Verification, VerificationFailed
from api.envelope import Answer
from api.limits import TooMany
from api.passwords.current import ChangedMeanwhile, NoPassword
from api.passwords.hasher import HasherBusy
from api.routing import BASE, Routes
from storage.users import EmailTaken

EMAILS = web.AppKey("emails", EmailService)
EMAIL_CHANGES = web.AppKey("email_changes", EmailChangeService)

routes = Routes(f"{BASE}/auth", tag="E-mail addresses", aliases=("/api/auth", "/auth"))


@routes.add(
    "POST",
    "/verify-email",
    access=Public(),
    takes=VerificationSchema(),
    problems=(VerificationFailed, TooMany),
)
async def verify_email(request: web.Request, body: Verification) -> Answer:
    """Verify an e-mail address with the token or the code of its letter."""
    await request.app[EMAILS].verify(body, request[CALL])
    return Answer(message="Email verified successfully")


@routes.add("POST", "/resend-verification", access=Public(), takes=UnprovedSchema())
async def resend_verification(request: web.Request, body: Unproved) -> Answer:
    """Ask for another letter that verifies an e-mail address.

    The answer, and the time it takes, are the same for addresses nobody has. A newer letter makes
    older ones worthless; one address gets at most three letters an hour.
    """
    await request.app[EMAILS].resend(body, request[CALL])
    return Answer(message="Verification email sent if the account exists and is unverified")


@routes.add(
    "POST",
    "/change-email",
    access=SignedIn(careful=True),
    takes=EmailChangeSchema(),
    problems=(NoPassword, ChangedMeanwhile, StepUpRequired, TooMany, HasherBusy),
)
async def change_email(request: web.Request, body: EmailChange) -> Answer:
    """Ask to change one's own e-mail address.

    Nothing changes until the letter to the new address is answered. Without `currentPassword` the
    sign-in must be recent. The answer is the same for an address that somebody else has.
    """
    if not body.current_password:
        require_recent(request)
    await request.app[EMAIL_CHANGES].request(body, principal_of(request), request[CALL])
    return Answer(message="Confirmation sent to the new address")


@routes.add(
    "POST",
    "/confirm-email",
    access=Public(),
    takes=VerificationSchema(),
    problems=(VerificationFailed, EmailTaken, TooMany),
)
async def confirm_email(request: web.Request, body: Verification) -> Answer:
    """Confirm a new e-mail address with the token or the code of its letter.

    `email` is the new address. The account has it from now on; a letter to the old one tells of it
    and can undo it for 72 hours. Sessions live on.
    """
    await request.app[EMAIL_CHANGES].confirm(body, request[CALL])
    return Answer(message="Email address changed successfully")


@routes.add(
    "POST",
    "/undo-email-change",
    access=Public(),
    takes=UndoSchema(),
    problems=(UndoFailed, EmailTaken),
)
async def undo_email_change(request: web.Request, body: Undo) -> Answer:
    """Take an account back to its old e-mail address.

    Removes the password, ends every session, and sends a letter to choose a new password.
    """
    await request.app[EMAIL_CHANGES].undo(body, request[CALL])
    return Answer(message="Email address restored. Choose a new password by letter")
