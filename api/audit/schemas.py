"""What the audit trail is asked by, and what it gives."""

from ipaddress import ip_address
from typing import Any, ClassVar

from marshmallow import fields, validate

from api.filters import Filter, choice, flag, identifier, word
from api.paging import Lists
from api.schemas import Outbound, Time
from storage.actor import ActorKind
from storage.audit import Outcome
from storage.ledger.formats import FORMATS
from storage.ledger.records import Actions

_MAX_REQUEST_ID = 128
_ONE_ACTION = r"[a-z_]+\.(\*|[a-z_]+)"


def _actions() -> Filter:
    return Filter(
        read=Actions.read,
        schema={"type": "string", "pattern": f"^{_ONE_ACTION}(,{_ONE_ACTION}){{0,19}}$"},
        description="Any of these actions; `user.*` is every action of that kind.",
    )


def _address() -> Filter:
    def read(text: str) -> str:
        try:
            return str(ip_address(text))
        except ValueError as error:
            raise ValueError("Send an address such as 203.0.113.9 or 2001:db8::9.") from error

    schema = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
    return Filter(read=read, schema=schema, description="From exactly this address.")


_FILTERS = {
    "subject": identifier("Whom or what it was done to."),
    "actor": identifier("Who did it."),
    "action": _actions(),
    "outcome": choice(*Outcome),
    "address": _address(),
    "requestId": word(longest=_MAX_REQUEST_ID, description="Of which request."),
    "actorKind": choice(*ActorKind),
    "sealed": flag("Whether it stands in the chain already."),
}
LISTS = Lists(sorts=("time",), filters=_FILTERS, searched=False)
EXPORTS = Lists(filters=_FILTERS, searched=False, sorts=(), formats=tuple(FORMATS))

_EVENT = {
    "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
    "sequence": 41,
    "action": "user.suspended",
    "actor": "01935b5c-1f00-7c11-9a52-3d4e5f607182",
    "actorKind": "user",
    "subject": "01935b5c-2b7d-7f02-b1a9-8c7d6e5f4031",
    "time": "2026-11-21T10:30:00.120Z",
    "address": "203.0.113.9",
    "requestId": "req_0193f2b8c0de7abc8def0123456789ab",
    "outcome": "success",
    "facts": {"sessions_ended": 2},
    "sealed": True,
}
_CHAIN = {
    "canonical": '{"action":"user.suspended","actor":"01935b5c-1f00-7c11-9a52-3d4e5f607182", ... }',
    "hash": "a3f0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738495a6b7c8d9e",
    "previous": "0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9fa",
    "personal": "5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c",
    "salt": "00112233445566778899aabbccddeeff",
    "sealedAt": "2026-11-21T10:30:01.004Z",
}


class Hex(fields.String):
    """Bytes as hexadecimal digits."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        return None if value is None else str(value.hex())


class EventSchema(Outbound):
    """Something that happened. An address that was erased is null."""

    example: ClassVar[dict[str, Any]] = _EVENT

    id = fields.UUID(required=True)
    sequence = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Row of the chain, if sealed."}
    )
    action = fields.String(required=True)
    actor = fields.UUID(required=True, allow_none=True, attribute="actor_id")
    actor_kind = fields.String(
        required=True, data_key="actorKind", validate=validate.OneOf(list(ActorKind))
    )
    subject = fields.UUID(required=True, allow_none=True, attribute="subject_id")
    time = Time(required=True, attribute="happened_at")
    address = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True, allow_none=True, data_key="requestId")
    outcome = fields.String(required=True, validate=validate.OneOf(list(Outcome)))
    facts = fields.Dict(
        required=True, keys=fields.String(), metadata={"description": "More of what happened."}
    )
    sealed = fields.Boolean(required=True)


class ChainSchema(Outbound):
    """What it takes to hash a row again: `hash` is the SHA-256 of `canonical`."""

    example: ClassVar[dict[str, Any]] = _CHAIN

    canonical = fields.String(required=True)
    hash = Hex(required=True)
    previous = Hex(required=True, attribute="row.previous_hash")
    personal = Hex(required=True, attribute="row.personal_hash")
    salt = Hex(required=True, allow_none=True)
    sealed_at = Time(required=True, attribute="row.sealed_at", data_key="sealedAt")


class RecordSchema(EventSchema):
    """Something that happened, with its place in the chain; `chain` is null while it waits."""

    example: ClassVar[dict[str, Any]] = _EVENT | {"chain": _CHAIN}

    link = fields.Nested(ChainSchema, required=True, allow_none=True, data_key="chain")


class HeadSchema(Outbound):
    """The newest signed state of the chain."""

    example: ClassVar[dict[str, Any]] = {
        "sequence": 41,
        "hash": "a3f0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738495a6b7c8d9e",
        "key": "k1",
        "signature": "9f" * 64,
    }

    sequence = fields.Integer(required=True)
    hash = fields.String(required=True)
    key = fields.String(required=True)
    signature = fields.String(required=True)


class VerdictSchema(Outbound):
    """What a verification of the whole chain found."""

    example: ClassVar[dict[str, Any]] = {
        "valid": True,
        "checked": 41,
        "head": HeadSchema.example,
        "firstBroken": None,
        "reason": None,
        "finishedAt": "2026-11-21T10:30:02.000Z",
    }

    valid = fields.Boolean(required=True)
    checked = fields.Integer(required=True, metadata={"description": "Rows looked at."})
    head = fields.Nested(HeadSchema, required=True, allow_none=True)
    first_broken = fields.Integer(required=True, allow_none=True, data_key="firstBroken")
    reason = fields.String(required=True, allow_none=True)
    finished_at = Time(required=True, data_key="finishedAt")
