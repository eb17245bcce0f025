"""Headers that every answer has, whoever writes it (OWASP secure headers)."""

from aiohttp import web
from multidict import CIMultiDict

from ops.settings import Settings

REQUEST_ID = "X-Request-Id"
_HSTS = "max-age=31536000; includeSubDomains"


def fixed_headers(settings: Settings) -> CIMultiDict[str]:
    """Return what is the same in every answer.

    By the kind of mapping that they are merged into: half as quick again.
    """
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Server": "ostiary",
        # Unless an answer says otherwise itself.
        "Cache-Control": "no-store",
    }
    if settings.in_production:
        headers["Strict-Transport-Security"] = _HSTS
    return CIMultiDict(headers)


FIXED_HEADERS = web.AppKey("fixed_headers", CIMultiDict[str])
