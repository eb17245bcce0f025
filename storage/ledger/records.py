"""Audit events as they are found: sealed, or still in the inbox; and what they are searched by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ops.errors import Kind, Problem
from storage.ledger.chain import Sealed

_ACTION = re.compile(r"([a-z_]+)\.(\*|[a-z_]+)", re.ASCII)
_MOST = 20


class EventNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such event: retention may have dropped its month. Search at GET /audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What happened; without a sequence it waits to be sealed."""

    id: UUID
    sequence: int | None
    action: str
    outcome: str
    actor_kind: str
    actor_id: UUID | None
    subject_id: UUID | None
    request_id: str | None
    facts: Mapping[str, Any]
    happened_at: datetime
    # None also once it was erased.
    address: str | None

    @property
    def sealed(self) -> bool:
        """Whether it stands in the chain."""
        return self.sequence is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """What it takes to hash an event again: `row` is what was hashed."""

    row: Sealed
    hash: bytes
    # None once it was erased with the personal data.
    salt: bytes | None

    @property
    def canonical(self) -> str:
        """What `hash` is the SHA-256 of, in UTF-8."""
        return self.row.canonical().decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord(AuditEvent):
    """An event and its place in the chain; None while it waits."""

    link: ChainLink | None

    @property
    def version(self) -> int:
        """1 while it waits, 2 once it is sealed, 3 once its personal data were erased."""
        if self.link is None:
            return 1
        return 2 if self.link.salt is not None else 3


@dataclass(frozen=True, slots=True)
class Actions:
    """Which actions are wanted: some by name, all of some nouns."""

    names: tuple[str, ...]
    nouns: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Actions":
        """Read `user.created,session.*`; raise ValueError saying what is allowed."""
        found = [_ACTION.fullmatch(item) for item in text.split(",")]
        if len(found) > _MOST or not all(found):
            raise ValueError(
                f"Send up to {_MOST} actions such as user.created, or user.* for all of a kind."
            )
        pairs = [item.groups() for item in found if item]
        return cls(
            tuple(f"{noun}.{verb}" for noun, verb in pairs if verb != "*"),
            tuple(noun for noun, verb in pairs if verb == "*"),
        )
