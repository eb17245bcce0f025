"""What leaves is written by functions made once: it must be what marshmallow itself would write."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from marshmallow import Schema, fields

from api.content.schemas import ContentSchema
from api.roles.schemas import RoleSchema
from api.schemas import Outbound, Time
from api.teams.schemas import TeamSchema
from api.users.schemas import ManagedUserSchema
from storage.users import User

ID = UUID("01935b5c-6d1e-7a3b-8c4d-5e6f708192a3")
NOON = datetime(2026, 11, 21, 12, 0, 0, 123_999, tzinfo=UTC)
ADA = User(
    id=ID,
    email="ada@example.com",
    email_verified=True,
    first_name="Ada",
    last_name="Lovelace",
    profile_picture_url=None,
    locale="en",
    is_active=True,
    plan="free",
    roles=("admin", "user"),
    rank=1000,
    last_login_at=None,
    version=3,
    credential_version=1,
    created_at=NOON,
    updated_at=NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
    deleted_at=NOON,
)


class InnerSchema(Outbound):
    """Something within something."""

    at = Time()


class EveryKindSchema(Outbound):
    """A field of every kind we know, and of one we do not."""

    only_if_set = frozenset({"rare"})

    id = fields.UUID(data_key="theId")
    deep = fields.String(attribute="inner.name")
    inner = fields.Nested(InnerSchema)
    inners = fields.List(fields.Nested(InnerSchema))
    names = fields.List(fields.String())
    day = fields.Date()
    price = fields.Decimal(as_string=True)
    length = fields.Function(lambda item: len(item.names))
    empty = Time(allow_none=True)
    rare = fields.String()


EVERYTHING = SimpleNamespace(
    id=ID,
    inner=SimpleNamespace(name="deep", at=NOON),
    inners=[SimpleNamespace(at=NOON), {"at": NOON}],
    names=("a", "b"),
    day=NOON.date(),
    price="3.50",
    empty=None,
    rare="here",
)


def on_the_wire(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


@pytest.mark.parametrize(
    ("schema", "record"), [(ManagedUserSchema(), ADA), (EveryKindSchema(), EVERYTHING)]
)
def test_what_leaves_is_what_marshmallow_would_write(schema: Outbound, record: Any) -> None:
    written = on_the_wire(schema.dump(record))

    assert written == on_the_wire(Schema.dump(schema, record))
    assert list(written) == list(Schema.dump(schema, record))


@pytest.mark.parametrize("schema", [RoleSchema(), TeamSchema(), ContentSchema()])
def test_mappings_are_written_too_and_leave_out_what_they_have_not(schema: Outbound) -> None:
    mapping = {"id": ID, "name": "Support", "version": 3, "created_at": NOON}

    written = on_the_wire(schema.dump(mapping))

    known = {"id", "name", "version", "createdAt"}
    assert set(written) == known & {field.data_key or name for name, field in schema.fields.items()}


def test_a_list_is_written_item_by_item() -> None:
    assert ManagedUserSchema(many=True).dump([ADA, ADA]) == [ManagedUserSchema().dump(ADA)] * 2


def test_what_is_rarely_set_is_left_out_where_it_is_not() -> None:
    rare = SimpleNamespace(**(vars(EVERYTHING) | {"rare": None}))

    assert "rare" not in EveryKindSchema().dump(rare)
    assert "rare" in EveryKindSchema().dump(EVERYTHING)


def test_times_are_cut_to_milliseconds_of_utc() -> None:
    written = on_the_wire(ManagedUserSchema().dump(ADA))

    assert written["createdAt"] == written["updatedAt"] == "2026-11-21T12:00:00.123Z"
