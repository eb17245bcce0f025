"""Endpoints of registration and sign-in."""

from http import HTTPStatus

from aiohttp import web

from api.access import EmailNotVerified, Public, SignedIn, principal_of
from api.auth.account import AccountService, Proof
from api.auth.schemas import (
    CredentialsSchema,
    JwkSetSchema,
    NewUserSchema,
    ProofSchema,
    SignedInSchema,
    UserSchema,
)
from api.auth.service import (
    AccountDeactivated,
    AuthService,
    Credentials,
    InvalidCredentials,
    NewUser,
)
from api.auth.tokens import SigningRing
from api.auth.transport import SIGN_IN_HEADERS, TRANSPORT, TRANSPORT_HEADERS, ForeignOrigin
from api.context import CALL, Call
from api.envelope import Answer
from api.limits import TooMany
from api.passwords.current import NoPassword
from api.passwords.hasher import HasherBusy
from api.problems import InvalidToken
from api.routing import BASE, MIRRORED, Routes
from api.users.closing import LastAdmin
from storage.users import EmailTaken, User

AUTH = web.AppKey("auth", AuthService)
ACCOUNT = web.AppKey("account", AccountService)
SIGNING_RING = web.AppKey("signing_ring", SigningRing)

routes = Routes(f"{BASE}/auth", tag="Authentication", aliases=("/api/auth", "/auth"))
well_known = Routes("/.well-known", tag="Authentication")

_NEUTRAL = "Check your mail: a letter says how to go on"


@routes.add(
    "POST",
    "/register",
    access=Public(),
    takes=NewUserSchema(),
    gives=SignedInSchema(),
    status=HTTPStatus.CREATED,
    also_status=(HTTPStatus.ACCEPTED,),
    headers=SIGN_IN_HEADERS,
    problems=(EmailTaken, HasherBusy, ForeignOrigin, InvalidToken),
    idempotent=True,
    mirrored=MIRRORED,
)
async def register(request: web.Request, body: NewUser) -> Answer:
    """Register a new user.

    Sends a letter that welcomes the user and lets them confirm their address by link or code. With
    `SECURITY_PROFILE=strict` every address gets the same 202 without tokens: who is registered
    already is told by letter, and nobody else learns it.

    Repeated with its Idempotency-Key after its session ended, it has no tokens to give: 401, sign
    in.
    """
    signed_in = await request.app[AUTH].register(body, _call(request))
    if signed_in is None:
        return Answer(message=_NEUTRAL, status=HTTPStatus.ACCEPTED)
    answer = Answer(data=signed_in, message="User registered successfully")
    return request.app[TRANSPORT].hand_over(request, answer)


@routes.add(
    "POST",
    "/login",
    access=Public(),
    takes=CredentialsSchema(),
    gives=SignedInSchema(),
    headers=SIGN_IN_HEADERS,
    problems=(
        InvalidCredentials,
        AccountDeactivated,
        EmailNotVerified,
        ForeignOrigin,
        TooMany,
        HasherBusy,
    ),
    mirrored=MIRRORED,
)
async def login(request: web.Request, body: Credentials) -> Answer:
    """Sign in with e-mail and password, and receive tokens.

    Five failures in 15 minutes from one address, or five at one account from anywhere, are answered
    with 429. A device that signed in before, and shows its `deviceToken` as `X-Device-Token`, is
    counted alone. `X-Auth-Transport: cookie` puts refresh and device token into cookies.
    """
    signed_in = await request.app[AUTH].login(body, _call(request))
    return request.app[TRANSPORT].hand_over(request, Answer(data=signed_in))


@routes.add("GET", "/me", access=SignedIn(), gives=UserSchema(), problems=(InvalidToken,))
async def get_me(request: web.Request) -> User:
    """Get the signed-in user."""
    return principal_of(request).user


@routes.add(
    "DELETE",
    "/me",
    access=SignedIn(recent=True),
    headers=TRANSPORT_HEADERS,
    problems=(LastAdmin, ForeignOrigin),
)
async def delete_me(request: web.Request) -> Answer:
    """Delete one's own account.

    Ends every session; a letter confirms it. Needs a sign-in or `/auth/step-up` of the last minutes
    (`STEP_UP_TTL`).
    """
    transport = request.app[TRANSPORT]
    transport.is_chosen(request)  # a foreign page is refused before anything is done
    await request.app[ACCOUNT].leave(principal_of(request), request[CALL])
    return transport.take_back(request, Answer(message="Account deleted"))


@routes.add(
    "POST",
    "/step-up",
    access=SignedIn(),
    takes=ProofSchema(),
    problems=(NoPassword, TooMany, HasherBusy),
)
async def step_up(request: web.Request, body: Proof) -> Answer:
    """Prove again that it is you, for what answers STEP_UP_REQUIRED.

    The session goes on with the same tokens; its sign-in counts as made just now.
    """
    await request.app[ACCOUNT].step_up(body, principal_of(request), request[CALL])
    return Answer(message="Confirmed")


@well_known.add("GET", "/jwks.json", access=Public(), gives=JwkSetSchema(), limited=False)
async def get_jwks(request: web.Request) -> web.Response:
    """Get the public keys that verify access tokens.

    A bare JWK set (RFC 7517), not wrapped, since libraries read it.
    """
    response = web.json_response(request.app[SIGNING_RING].jwks())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _call(request: web.Request) -> Call:
    """Return the call with its device; raise ForeignOrigin before anything is done."""
    transport, call = request.app[TRANSPORT], request[CALL]
    transport.is_chosen(request)
    call.device_token = transport.device_token(request)
    return call
