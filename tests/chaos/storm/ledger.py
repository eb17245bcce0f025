"""The ledger of the clients: what they asked for, what was acknowledged, what nobody knows.

It is kept outside the service and asks nothing of it: what stands here as acknowledged must be
found afterwards, once, and nothing else may be.
"""

import itertools
import time
from dataclasses import dataclass, field
from enum import StrEnum


class Ending(StrEnum):
    """How one request ended, as its client saw it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    # The connection broke, nobody answered in time, or a server said that it failed.
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """One request of a deed; its id is in the audit trail and at the promises it made."""

    request_id: str
    url: str
    began: float
    ended: float = 0.0
    ending: Ending = Ending.UNKNOWN
    answer: str = ""


@dataclass(slots=True)
class Deed:
    """Something to be done once, however many requests that takes.

    `events` are the audit actions it writes and `jobs` what it promises, each once.
    """

    what: str
    whose: str
    events: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    # Told by the answer, or seen afterwards by the client itself.
    acknowledged: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether it may have been done and may not."""
        return not self.acknowledged and any(
            attempt.ending is Ending.UNKNOWN for attempt in self.attempts
        )

    @property
    def request_ids(self) -> list[str]:
        """The ids of its requests."""
        return [attempt.request_id for attempt in self.attempts]


@dataclass(slots=True)
class Row:
    """A row that is there, or may be; and the values that each column may have."""

    table: str
    key: str
    is_certain: bool = False
    values: dict[str, set[str]] = field(default_factory=dict)

    def may_be(self, column: str, value: str) -> None:
        """Note a value that was asked for."""
        self.values.setdefault(column, set()).add(value)

    def is_now(self, column: str, value: str) -> None:
        """Note a value that was acknowledged: no other one is right any more."""
        self.values[column] = {value}


@dataclass(slots=True)
class Login:
    """A session of somebody, known by the last refresh token that was handed to its client."""

    whose: str
    refresh_token: str
    access_token: str
    is_live: bool = True
    # It is refreshed no more: a request with its token may still lie in a frozen process.
    rests: bool = False


@dataclass(slots=True)
class Ledger:
    """Everything the clients know; the ids of its requests begin with its mark."""

    mark: str = "storm"
    deeds: list[Deed] = field(default_factory=list)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    logins: list[Login] = field(default_factory=list)
    # By address; several when the last change is one of unknown ending.
    passwords: dict[str, list[str]] = field(default_factory=dict)
    # Answers that no accident excuses.
    faults: list[str] = field(default_factory=list)
    successes: list[tuple[float, float]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def number(self) -> int:
        """Return a number that nobody had before."""
        return next(self._numbers)

    def begin(self, deed: Deed) -> Deed:
        """Write down what is going to be asked for, before it is asked for."""
        self.deeds.append(deed)
        return deed

    def attempt(self, deed: Deed, url: str) -> Attempt:
        """Write down one request, before it leaves."""
        made = Attempt(f"{self.mark}-{self.number()}", url, time.monotonic())
        deed.attempts.append(made)
        return made

    def row(self, table: str, key: str) -> Row:
        """Return what is known of a row, beginning with nothing."""
        return self.rows.setdefault((table, key), Row(table, key))

    def counts(self) -> dict[str, int]:
        """Count deeds by how they ended."""
        unknown = sum(deed.is_unknown for deed in self.deeds)
        acknowledged = sum(deed.acknowledged for deed in self.deeds)
        retried = sum(len(deed.attempts) > 1 for deed in self.deeds)
        return {
            "deeds": len(self.deeds),
            "acknowledged": acknowledged,
            "unknown": unknown,
            "retried": retried,
        }
