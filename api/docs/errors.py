"""The public list of error codes, made of the problems that the house declares."""

from dataclasses import dataclass

from api.envelope import STATUSES
from ops.errors import Problem

_HEAD = """\
# Error codes

Every error answer carries one of these codes in `error.code`. The message says what to do; the
codes stay the same, the messages may get better. Made by `python -m api docs`; a test keeps it
current.

| status | code | messages |
|---|---|---|
"""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One code under one status, and every message it comes with."""

    status: int
    code: str
    messages: tuple[str, ...]


def rows() -> list[Row]:
    """Return the list, by status and code."""
    found: dict[tuple[int, str], set[str]] = {}
    for problem in Problem.declared:
        key = (int(STATUSES[problem.kind]), problem.code)
        found.setdefault(key, set()).add(" ".join((problem.__doc__ or "").split()))
    return sorted(Row(*key, tuple(sorted(messages))) for key, messages in found.items())


def markdown() -> str:
    """Return the text of docs/ERRORS.md."""
    lines = [f"| {row.status} | `{row.code}` | {'<br>'.join(row.messages)} |\n" for row in rows()]
    return _HEAD + "".join(lines)
