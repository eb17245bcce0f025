"""The chain: what of an event is hashed, and how, so that anybody can do it again.

A row's hash is SHA-256 over its canonical JSON (RFC 8785), in which the hash of the row before
stands. Personal data are in there as a salted hash only: they can be deleted, the chain stays
valid. Facts have ASCII names; they are texts, booleans and whole numbers that a double can hold,
so that sorted keys without spaces are all that RFC 8785 asks for (`check_facts`).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

# What stands before the first row.
GENESIS = bytes(32)
# The name of facts that are no object, or cannot be hashed: they are kept as this one text.
AS_TEXT = "facts_as_text"
_NESTED = (dict, list)
# Beyond it, RFC 8785 writes a whole number as the double next to it.
_LARGEST = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A row of the ledger, without its own hash."""

    sequence: int
    id: UUID
    action: str
    outcome: str
    actor_kind: str
    actor_id: UUID | None
    subject_id: UUID | None
    request_id: str | None
    facts: Mapping[str, Any]
    happened_at: datetime
    sealed_at: datetime
    personal_hash: bytes
    previous_hash: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 over the canonical JSON, 32 bytes."""
        return sha256(self.canonical()).digest()

    def canonical(self) -> bytes:
        """Return what is hashed: one JSON object as RFC 8785 writes it."""
        return orjson.dumps(self._members(), option=orjson.OPT_SORT_KEYS)

    def shown(self) -> dict[str, Any]:
        """Return the row as the export writes it, ids and hashes as text."""
        return {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in self._members().items()
        }

    def _members(self) -> dict[str, Any]:
        # Ids as they are: orjson makes texts of them faster than we do.
        return {
            "sequence": self.sequence,
            "id": self.id,
            "action": self.action,
            "outcome": self.outcome,
            "actorKind": self.actor_kind,
            "actor": self.actor_id,
            "subject": self.subject_id,
            "requestId": self.request_id,
            "facts": dict(self.facts),
            "time": written(self.happened_at),
            "sealed": written(self.sealed_at),
            "personal": self.personal_hash.hex(),
            "previous": self.previous_hash.hex(),
        }


def personal_hash(salt: bytes, address: str | None) -> bytes:
    """Return SHA-256 over 16 bytes of salt and the canonical JSON of the personal data."""
    return sha256(salt + orjson.dumps({"address": address})).digest()


def written(moment: datetime) -> str:
    """Return a time as it is hashed: UTC, microseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def facts_of(text: str) -> dict[str, Any]:
    """Read facts as a table has them: what is no flat object that can be read becomes AS_TEXT."""
    try:
        facts = orjson.loads(text)
    except orjson.JSONDecodeError:  # a number beyond all numbers, brackets within brackets
        facts = None
    # What is read from a greater depth than it is written to would break answers off.
    if isinstance(facts, dict) and not any(isinstance(it, _NESTED) for it in facts.values()):
        return facts
    return {AS_TEXT: text}


def check_facts(facts: Mapping[str, object]) -> None:
    """Raise ValueError for facts without one canonical form, or that jsonb would not keep."""
    for name, value in facts.items():
        if not name.isascii() or "\0" in name:
            raise ValueError(f"the name of the fact {name!r} is not ASCII without NUL")
        if not _keeps_its_form(value):
            raise ValueError(f"the fact {name} cannot be sealed: a {type(value).__name__}")


def _keeps_its_form(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def sealed_of(row: Mapping[str, Any]) -> Sealed:
    """Read a row of the table, its facts as text; raise when it is none."""
    facts = orjson.loads(row["facts"])
    if not isinstance(facts, dict):
        raise TypeError("facts are an object")
    return _sealed(row, facts)


def stored(row: Mapping[str, Any]) -> Sealed:
    """Read a row of the table to show it, whatever stands there by force: it is evidence."""
    return _sealed(row, facts_of(row["facts"]))


def _sealed(row: Mapping[str, Any], facts: dict[str, Any]) -> Sealed:
    return Sealed(**{name: row[name] for name in _FIELDS} | {"facts": facts})


_FIELDS = tuple(item.name for item in dataclasses.fields(Sealed))
