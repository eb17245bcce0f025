"""Who may call: every endpoint names one of these, so that an unguarded one cannot be written."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from aiohttp import hdrs, web

from api.context import CALL, Principal
from api.problems import Forbidden, Unauthorized
from ops.errors import Kind, Problem
from storage.roles import Permission

_BEARER = "bearer "


class StepUpRequired(Problem, kind=Kind.FORBIDDEN, code="STEP_UP_REQUIRED"):
    """Prove again that it is you: send your password to /auth/step-up, then repeat this."""


class EmailNotVerified(Problem, kind=Kind.FORBIDDEN, code="EMAIL_NOT_VERIFIED"):
    """Confirm your e-mail address first: use the link or code of the letter, or ask for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """What the settings say of access."""

    # How long a sign-in counts as recent.
    step_up: timedelta
    # Whether endpoints that ask for a verified address insist.
    verified_needed: bool


ACCESS_RULES = web.AppKey("access_rules", AccessRules)


class Access(Protocol):
    """A rule on who may call an endpoint."""

    @property
    def identifies(self) -> bool:
        """Whether a bearer token of the request is an access token of ours."""

    @property
    def current(self) -> bool:
        """Whether the caller's facts must be of this moment, not as old as a second."""

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized or Forbidden unless the caller may go on."""


@dataclass(frozen=True, slots=True)
class Public:
    """Everybody may call; who is signed in is known all the same.

    Counted by address, whoever calls: an account of one's own must not buy more requests at what
    strangers call. `by_caller` counts signed-in callers under themselves.
    """

    by_caller: bool = False
    identifies: bool = True
    current: bool = False

    def check(self, _: web.Request) -> None:
        """Let everybody on."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Only callers with a good access token may call.

    `recent` demands a sign-in or step-up within STEP_UP_TTL, `verified` a verified e-mail address
    (unless REQUIRE_VERIFIED_EMAIL is off), `careful` only that the facts are of this moment.
    """

    recent: bool = False
    verified: bool = False
    careful: bool = False
    identifies: bool = True

    @property
    def current(self) -> bool:
        """What is sensitive never relies on a memory."""
        return self.recent or self.verified or self.careful

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized, EmailNotVerified or StepUpRequired unless the caller may go on."""
        principal_of(request)
        if self.verified:
            require_verified(request)
        if self.recent:
            require_recent(request)


@dataclass(frozen=True, slots=True)
class Needs:
    """Only callers whose roles permit it may call.

    Who has `permission` may call for everything; who has only `own` or `team` may call for what is
    their own or their team's: the service sees to that. `recent` and `verified` as of SignedIn.
    """

    permission: Permission
    own: Permission | None = None
    team: Permission | None = None
    recent: bool = False
    verified: bool = False
    identifies: bool = True

    @property
    def current(self) -> bool:
        """What is sensitive never relies on a memory."""
        return self.recent or self.verified

    @property
    def any_of(self) -> tuple[Permission, ...]:
        """Permissions of which one is enough to call."""
        return tuple(item for item in (self.permission, self.own, self.team) if item)

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized, Forbidden, EmailNotVerified or StepUpRequired."""
        if not principal_of(request).may(*self.any_of):
            raise Forbidden
        if self.verified:
            require_verified(request)
        if self.recent:
            require_recent(request)


@dataclass(frozen=True, slots=True)
class OpsToken:
    """Only holders of OPS_TOKEN may call: Prometheus, operators' scripts."""

    token: str
    identifies: bool = False
    current: bool = False

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized unless the request carries the token; always, when none is set."""
        given = bearer(request) or ""
        if not self.token or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise Unauthorized("Send OPS_TOKEN as Authorization: Bearer.")


def principal_of(request: web.Request) -> Principal:
    """Return the signed-in caller; raise Unauthorized when there is none."""
    principal = request[CALL].principal
    if principal is None:
        raise Unauthorized
    return principal


def require_verified(request: web.Request) -> None:
    """Raise EmailNotVerified unless the address is proved, or REQUIRE_VERIFIED_EMAIL is off."""
    if not request.config_dict[ACCESS_RULES].verified_needed:
        return
    if not principal_of(request).user.email_verified:
        raise EmailNotVerified


def require_recent(request: web.Request) -> None:
    """Raise StepUpRequired unless the caller proved who they are within STEP_UP_TTL."""
    passed = datetime.now(UTC) - principal_of(request).authenticated_at
    if passed > request.config_dict[ACCESS_RULES].step_up:
        raise StepUpRequired


def bearer(request: web.Request) -> str | None:
    """Return the bearer token of a request (RFC 6750, section 2.1), None if it has none.

    Raises Unauthorized for two headers: a proxy may have looked at the other one.
    """
    headers = request.headers.getall(hdrs.AUTHORIZATION, [""])
    if len(headers) > 1:
        raise Unauthorized("Send one Authorization header.")
    header = headers[0]
    if header[: len(_BEARER)].lower() != _BEARER:
        return None
    return header[len(_BEARER) :].strip()
