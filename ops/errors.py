"""Problem, Kind, Detail: the base of every error a caller can act on.

A Problem is declared in the module that raises it, beside the rule it speaks for::

    class EmailTaken(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
        '''This e-mail address is already registered. Sign in, or reset the password.'''

The docstring is the message that people read, so it says what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What went wrong, free of any protocol; `api/envelope.py` maps it to HTTP statuses."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    TIMEOUT = "timeout"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNPROCESSABLE = "unprocessable"
    TOO_MANY = "too_many"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong with one field of a request."""

    field: str
    message: str


class Problem(Exception):  # noqa: N818 - the house calls it a Problem
    """An error that a caller can act on: a kind, a public code, a message, details per field."""

    kind: ClassVar[Kind]
    code: ClassVar[str]
    declared: ClassVar[list[type["Problem"]]] = []

    def __init_subclass__(cls, *, kind: Kind, code: str) -> None:
        """Register the subclass under its kind and public code."""
        cls.kind, cls.code = kind, code
        Problem.declared.append(cls)

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Detail] = (),
        retry_after: int | None = None,
    ) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.details = tuple(details)
        self.retry_after = retry_after
        super().__init__(self.message)


class Unavailable(Problem, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """A server behind this service is not reachable just now. Try again in a moment."""

    def __init__(self, message: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(message, retry_after=retry_after)
