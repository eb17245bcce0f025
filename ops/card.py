"""The card that a start ends with: where everything is, and a line that works."""

import time
from collections.abc import Mapping, Sequence

from ops.settings import Settings
from ops.version import VERSION

_TRY = (
    "curl -X POST {base}/api/v1/auth/register -H 'Content-Type: application/json' \\\n"
    '                -d \'{{"email": "ada@example.com", "password": "Correct-Horse-9",'
    ' "firstName": "Ada", "lastName": "Lovelace"}}\''
)


def card(
    settings: Settings,
    *,
    admin: Mapping[str, str],
    found: Sequence[str],
    more: Sequence[tuple[str, str]],
    started: float,
) -> str:
    """Return the card; `started` is the monotonic time the start began at."""
    seconds = time.monotonic() - started
    attempt = _TRY.format(base=settings.base_url)
    listed = [*_rows(settings, admin, found), *more, ("Try", attempt), ("Stop", "Ctrl-C")]
    rows = "\n".join(f"  {name:<10}  {value}" for name, value in listed)
    return f"\nOstiary {VERSION} is ready after {seconds:.1f} s\n\n{rows}\n"


def _rows(
    settings: Settings, admin: Mapping[str, str], found: Sequence[str]
) -> list[tuple[str, str]]:
    base = settings.base_url
    rows = [("Service", base)]
    if "link" in admin:
        rows += [("Set up", admin["link"])]
        rows += [("", "the first administrator; one use, 30 minutes")]
    else:
        rows += [("Admin", admin["text"])]
    rows += [("API docs", f"{base}/api/docs")]
    if settings.smtp_url:
        rows += [("Letters", "by SMTP, as SMTP_URL says")]
    else:
        rows += [("Mailbox", f"{base}/dev/mailbox (files in {settings.home / 'mail'})")]
    rows += [("Status", f"{base}/ops/status, for administrators")]
    rows += [("Metrics", f"{base}/ops/prometheus/targets, with OPS_TOKEN of keys.env")]
    rows += [("State", f"{settings.home} ({'; '.join(found) or 'new'})")]
    return rows
