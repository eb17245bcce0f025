"""Cookies of the pages for administrators; the API reads none of them.

Browsers send them with this site's own requests only (SameSite=Strict), no script reads them, and
by `__Host-` no other host can have set them. They show and end; what they open changes nothing.
The one that forms are compared with comes along with links of other sites too (SameSite=Lax):
another in its place would be the end of the forms that are open in other tabs.
"""

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from api.auth.tokens import Pair
from api.envelope import Cookie, set_cookie
from ops.crypto import same
from ops.errors import Kind, Problem
from storage.devices import KEPT_DAYS

FORM_FIELD = "form"

_DEVICE_SECONDS = KEPT_DAYS * 86_400
_FORM_SECONDS = 86_400
_FORM_BYTES = 32
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class FormUnknown(Problem, kind=Kind.FORBIDDEN, code="FORBIDDEN"):
    """This form is too old, or your browser keeps no cookies of this site. Open the page again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a browser holds of us; empty where it holds nothing."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    device_token: str = field(repr=False)


class PageCookies:
    """Reads and writes them."""

    def __init__(self, *, base_url: str, seconds: int) -> None:
        self._secure = urlsplit(base_url).scheme == "https"
        prefix = "__Host-ostiary_page" if self._secure else "ostiary_page"
        self._access, self._refresh = f"{prefix}_access", f"{prefix}_refresh"
        self._device, self._form = f"{prefix}_device", f"{prefix}_form"
        self._seconds = seconds

    def held(self, request: web.Request) -> Held:
        """Return what the browser sent."""
        return Held(
            access_token=request.cookies.get(self._access, ""),
            refresh_token=request.cookies.get(self._refresh, ""),
            device_token=request.cookies.get(self._device, ""),
        )

    def hand_over(self, response: web.Response, pair: Pair, *, device_token: str = "") -> None:
        """Give the browser the tokens of its session."""
        self._set(response, self._access, pair.access_token, pair.expires_in)
        self._set(response, self._refresh, pair.refresh_token, self._seconds)
        if device_token:
            self._set(response, self._device, device_token, _DEVICE_SECONDS)

    def take_back(self, response: web.Response) -> None:
        """Take the tokens of a session that ended."""
        for name in (self._access, self._refresh):
            self._set(response, name, "", 0)

    def form_token(self, request: web.Request) -> str:
        """Return what our forms carry beside the cookie of the same value (OWASP: double submit).

        A new one where the browser holds none of ours: `offer_form` gives it along.
        """
        held = request.cookies.get(self._form, "")
        return held if _FORM_TOKEN.fullmatch(held) else secrets.token_urlsafe(_FORM_BYTES)

    def offer_form(self, response: web.Response, token: str) -> None:
        """Give the browser the cookie that a form of ours will be compared with."""
        self._set(response, self._form, token, _FORM_SECONDS)
        response.cookies[self._form]["samesite"] = "Lax"

    def check_form(self, request: web.Request, form: dict[str, str]) -> None:
        """Raise FormUnknown unless the form was given to this browser."""
        held, sent = (
            text.encode("utf-8", "surrogatepass")
            for text in (request.cookies.get(self._form, ""), form.get(FORM_FIELD, ""))
        )
        if not held or not same(held, sent):
            raise FormUnknown

    def _set(self, response: web.Response, name: str, value: str, seconds: int) -> None:
        set_cookie(response, Cookie(name=name, value=value, max_age=seconds, secure=self._secure))
