"""Endpoints of registration and sign-in."""

from http import HTTPStatus

from aiohttp import web

from api.access import Public, SignedIn, principal_of
from api.auth.schemas import (
    CredentialsSchema,
    JwkSetSchema,
    NewUserSchema,
    SignedInSchema,
    UserSchema,
)
from api.auth.service import (
    AccountDeactivated,
    AuthService,
    Credentials,
    InvalidCredentials,
    NewUser,
    SignedInUser,
)
from api.auth.tokens import SigningRing
from api.context import CALL
from api.envelope import Answer
from api.passwords.hasher import HasherBusy
from api.problems import InvalidToken, TooMany
from api.routing import BASE, MIRRORED, Routes
from storage.users import EmailTaken, User

AUTH = web.AppKey("auth", AuthService)
SIGNING_RING = web.AppKey("signing_ring", SigningRing)

routes = Routes(f"{BASE}/auth", tag="Authentication", aliases=("/api/auth", "/auth"))
well_known = Routes("/.well-known", tag="Authentication")


@routes.add(
    "POST",
    "/register",
    access=Public(),
    takes=NewUserSchema(),
    gives=SignedInSchema(),
    status=HTTPStatus.CREATED,
    problems=(EmailTaken, HasherBusy),
    idempotent=True,
    mirrored=MIRRORED,
)
async def register(request: web.Request, body: NewUser) -> Answer:
    """Register a new user.

    Sends a letter that welcomes the user and lets them confirm their address by link or code.
    """
    signed_in = await request.app[AUTH].register(body, request[CALL])
    return Answer(data=signed_in, message="User registered successfully")


@routes.add(
    "POST",
    "/login",
    access=Public(),
    takes=CredentialsSchema(),
    gives=SignedInSchema(),
    problems=(InvalidCredentials, AccountDeactivated, TooMany, HasherBusy),
    mirrored=MIRRORED,
)
async def login(request: web.Request, body: Credentials) -> SignedInUser:
    """Sign in with e-mail and password, and receive tokens.

    Five failures in 15 minutes from one address are answered with 429 until the time is over.
    """
    return await request.app[AUTH].login(body, request[CALL])


@routes.add("GET", "/me", access=SignedIn(), gives=UserSchema(), problems=(InvalidToken,))
async def get_me(request: web.Request) -> User:
    """Get the signed-in user."""
    return await request.app[AUTH].me(principal_of(request))


@well_known.add("GET", "/jwks.json", access=Public(), gives=JwkSetSchema(), limited=False)
async def get_jwks(request: web.Request) -> web.Response:
    """Get the public keys that verify access tokens.

    A bare JWK set (RFC 7517), not wrapped, since libraries read it.
    """
    response = web.json_response(request.app[SIGNING_RING].jwks())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
