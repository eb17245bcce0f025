"""Endpoints of changing a password."""

from aiohttp import web

from api.access import Public, SignedIn, principal_of
from api.context import CALL
from api.envelope import Answer
from api.limits import TooMany
from api.passwords.current import ChangedMeanwhile, NoPassword
from api.passwords.hasher import HasherBusy
from api.passwords.schemas import ForgottenSchema, PasswordChangeSchema, ResetSchema
from api.passwords.service import (
    Forgotten,
    PasswordChange,
    PasswordService,
    Reset,
    ResetFailed,
)
from api.routing import BASE, Routes

PASSWORDS = web.AppKey("passwords", PasswordService)

routes = Routes(f"{BASE}/auth", tag="Passwords", aliases=("/api/auth", "/auth"))


@routes.add("POST", "/forgot-password", access=Public(), takes=ForgottenSchema())
async def forgot_password(request: web.Request, body: Forgotten) -> Answer:
    """Ask for a letter that lets one choose a new password.

    The answer, and the time it takes, are the same for addresses nobody has. A newer letter makes
    older ones worthless; one address gets at most three letters an hour.
    """
    await request.app[PASSWORDS].forgot(body, request[CALL])
    return Answer(message="Password reset email sent if account exists")


@routes.add(
    "POST",
    "/reset-password",
    access=Public(),
    takes=ResetSchema(),
    problems=(ResetFailed, TooMany, HasherBusy),
)
async def reset_password(request: web.Request, body: Reset) -> Answer:
    """Choose a new password with the token or the code of the letter.

    Ends every session and opens none. A password that is too weak costs neither the letter nor a
    guess; a code is worth five guesses.
    """
    await request.app[PASSWORDS].reset(body, request[CALL])
    return Answer(message="Password reset successfully")


@routes.add(
    "POST",
    "/change-password",
    access=SignedIn(careful=True),
    takes=PasswordChangeSchema(),
    problems=(NoPassword, ChangedMeanwhile, TooMany, HasherBusy),
)
async def change_password(request: web.Request, body: PasswordChange) -> Answer:
    """Change one's own password.

    Ends every other session; the one that calls goes on. A wrong current password is a
    VALIDATION_ERROR on `currentPassword`.
    """
    await request.app[PASSWORDS].change(body, principal_of(request), request[CALL])
    return Answer(message="Password changed successfully")
