"""Routes that will go: since when, until when, and what comes instead. The one table of them.

Whoever calls such a route is told in the headers of the answer: `Deprecation` (RFC 9745), `Sunset`
(RFC 8594) and links to its successor and to what is written about it (RFC 8288). Operators see who
still calls in the log and in `ostiary_deprecated_requests_total`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import hdrs

_NOTICE = timedelta(days=183)  # six months, promised to whoever builds on us


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """The end of a route; raises ValueError when it comes sooner than six months after `since`."""

    since: datetime
    sunset: datetime
    # Path of what to call instead.
    successor: str | None = None
    # Where it is explained.
    notes: str = "/api/docs"
    # What its answers say.
    headers: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.sunset.tzinfo is None:
            raise ValueError("say the moment of a deprecation in UTC")
        if self.sunset - self.since < _NOTICE:
            raise ValueError("a route stays for six months after it was deprecated")
        links = [f'<{self.notes}>; rel="deprecation"; type="text/html"']
        if self.successor:
            links.append(f'<{self.successor}>; rel="successor-version"')
        headers = {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset.astimezone(UTC), usegmt=True),
            hdrs.LINK: ", ".join(links),
        }
        object.__setattr__(self, "headers", headers)


Deprecations = Mapping[str, Deprecation]

# "GET /api/v1/things" to its end; aliases of a path end with it.
DEPRECATIONS: Deprecations = {}
