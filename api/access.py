"""Who may call: every endpoint names one of these, so that an unguarded one cannot be written."""

import hmac
from dataclasses import dataclass
from typing import Protocol

from aiohttp import hdrs, web

from api.context import CALL, Principal
from api.problems import Unauthorized

_BEARER = "bearer "


class Access(Protocol):
    """A rule on who may call an endpoint."""

    @property
    def identifies(self) -> bool:
        """Whether a bearer token of the request is an access token of ours."""

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized or Forbidden unless the caller may go on."""


@dataclass(frozen=True, slots=True)
class Public:
    """Everybody may call; who is signed in is known all the same, for the limits."""

    identifies: bool = True

    def check(self, _: web.Request) -> None:
        """Let everybody on."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Only callers with a good access token may call."""

    identifies: bool = True

    def check(self, request: web.Request) -> None:
        """Raise Unauthorized unless the caller is signed in."""
        principal_of(request)


@dataclass(frozen=True, slots=True)
class OpsToken:
    """Only holders of OPS_TOKEN may call: Prometheus, operators' scripts."""

    token: str
    identifies: bool = False

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


def bearer(request: web.Request) -> str | None:
    """Return the bearer token of a request (RFC 6750, section 2.1), None if it has none."""
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    if header[: len(_BEARER)].lower() != _BEARER:
        return None
    return header[len(_BEARER) :].strip()
