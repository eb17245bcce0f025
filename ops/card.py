"""The card that a start ends with: where everything is, and a line that works."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.settings import Settings
from ops.version import VERSION

_TRY = (
    "curl -X POST {base}/api/v1/auth/register -H 'Content-Type: application/json' \\\n"
    '                -d \'{{"email": "ada@example.com", "password": "Correct-Horse-9",'
    ' "firstName": "Ada", "lastName": "Lovelace"}}\''
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is told; `started` is the monotonic time the start began at."""

    settings: Settings
    admin: Mapping[str, str]
    found: Sequence[str]
    started: float

    def text(self) -> str:
        """Return the card."""
        seconds = time.monotonic() - self.started
        rows = "\n".join(f"  {name:<12}  {value}" for name, value in self._rows())
        return f"\nOstiary {VERSION} is ready after {seconds:.1f} s\n\n{rows}\n"

    def _rows(self) -> list[tuple[str, str]]:
        base = self.settings.base_url
        rows = [("Service", base)]
        if "link" in self.admin:
            rows += [("Set up", self.admin["link"])]
            rows += [("", "the first administrator; one use, 30 minutes")]
        else:
            rows += [("Admin", self.admin["text"])]
        rows += [("API docs", f"{base}/api/docs")]
        if self.settings.smtp_url:
            rows += [("Letters", "by SMTP, as SMTP_URL says")]
        else:
            rows += [("Mailbox", f"{base}/dev/mailbox (files in {self.settings.home / 'mail'})")]
        rows += [("Metrics", f"{base}/ops/prometheus/targets, with OPS_TOKEN of keys.env")]
        rows += [("State", f"{self.settings.home} ({'; '.join(self.found) or 'new'})")]
        rows += [("Try", _TRY.format(base=base))]
        return [*rows, ("Stop", "Ctrl-C")]
