"""How a refresh token travels: in the body, or with `X-Auth-Transport: cookie` in a cookie.

The header cannot be sent by a form or an image of somebody else's page, and a script of another
origin needs our leave (CORS) to send it; together with the Origin it is the proof that a request
was meant (OWASP CSRF cheat sheet, custom headers). Without the header no cookie is ever read.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from api.envelope import Answer, Cookie
from ops.errors import Kind, Problem
from storage.devices import KEPT_DAYS

_HEADER = "X-Auth-Transport"
_DEVICE_HEADER = "X-Device-Token"

TRANSPORT_HEADERS = {
    _HEADER: "`cookie`: the refresh token travels in an HttpOnly cookie instead of the body.",
}
SIGN_IN_HEADERS = TRANSPORT_HEADERS | {
    _DEVICE_HEADER: "The `deviceToken` of an earlier sign-in on this device, if there is one.",
}
_DEVICE_SECONDS = KEPT_DAYS * 86_400


class ForeignOrigin(Problem, kind=Kind.FORBIDDEN, code="FORBIDDEN"):
    """Cookies are only taken from pages of this service or of ALLOWED_ORIGINS."""


class Transport:
    """Reads and writes the cookies of callers who asked for cookies."""

    def __init__(self, *, base_url: str, origins: Collection[str], seconds: int) -> None:
        parts = urlsplit(base_url)
        self._origins = {f"{parts.scheme}://{parts.netloc}".lower(), *origins}
        self._secure = parts.scheme == "https"
        prefix = "__Host-" if self._secure else ""
        self._refresh_name = f"{prefix}ostiary_refresh"
        self._device_name = f"{prefix}ostiary_device"
        self._seconds = seconds

    def is_chosen(self, request: web.Request) -> bool:
        """Say whether the caller asked for cookies; raise ForeignOrigin for another's page."""
        if request.headers.get(_HEADER, "").lower() != "cookie":
            return False
        if request.headers.get(hdrs.ORIGIN, "").lower() not in self._origins:
            raise ForeignOrigin
        return True

    def refresh_token(self, request: web.Request) -> str:
        """Return the refresh token of a caller who chose cookies, empty when there is none."""
        return request.cookies.get(self._refresh_name, "")

    def device_token(self, request: web.Request) -> str:
        """Return what the caller's device is known by: its header, or its cookie if chosen."""
        if request.headers.get(_HEADER, "").lower() == "cookie":
            return request.cookies.get(self._device_name, "")
        return request.headers.get(_DEVICE_HEADER, "")

    def hand_over(self, request: web.Request, answer: Answer) -> Answer:
        """Return the answer with its tokens moved into cookies, if the caller chose those."""
        if not self.is_chosen(request):
            return answer
        tokens = getattr(answer.data, "tokens", answer.data)
        cookies = [self._cookie(self._refresh_name, tokens.refresh_token, self._seconds)]
        device: Any = getattr(answer.data, "device_token", "")
        if device:
            cookies.append(self._cookie(self._device_name, device, _DEVICE_SECONDS))
        return replace(answer, cookies=tuple(cookies), withheld=("refreshToken", "deviceToken"))

    def take_back(self, request: web.Request, answer: Answer) -> Answer:
        """Return the answer that also removes the refresh token, if the caller chose cookies."""
        if not self.is_chosen(request):
            return answer
        return replace(answer, cookies=(self._cookie(self._refresh_name, "", 0),))

    def _cookie(self, name: str, value: str, seconds: int) -> Cookie:
        return Cookie(name=name, value=value, max_age=seconds, secure=self._secure)


TRANSPORT = web.AppKey("transport", Transport)
