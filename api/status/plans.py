"""What a chart of the page is made of: its lines and its limits, and how grave these are."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from api.status.measures import Measure


class Verdict(StrEnum):
    """How grave it is, the gravest last."""

    UNKNOWN = "unknown"
    OK = "ok"
    LOOK = "look"
    ACT = "act"


GRAVITY = tuple(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """From which values on somebody should look or act, and where it says how."""

    look: float
    act: float | None = None
    runbook: str
    # In place of the first line, where the value that counts is not drawn: what it is, its unit.
    watched: Measure | None = None
    says: str = ""
    unit: str = ""

    def verdict(self, value: float | None) -> Verdict:
        """Say how grave a value is."""
        if value is None:
            return Verdict.UNKNOWN
        if self.act is not None and value >= self.act:
            return Verdict.ACT
        return Verdict.LOOK if value >= self.look else Verdict.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One chart: what it shows, in which unit, and what is too much."""

    name: str
    title: str
    about: str
    unit: str
    lines: Mapping[str, Measure]
    limit: Limit | None = None
