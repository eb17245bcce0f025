"""Bases of the schemas at the border: strict on the way in, explicit on the way out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial
from operator import attrgetter
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, missing, post_load
from marshmallow.utils import get_value

from api.problems import Invalid
from ops.errors import Detail


class Inbound(Schema):
    """Reads a JSON object into the frozen dataclass `makes`; unknown fields are refused."""

    makes: ClassVar[type[Any]]
    example: ClassVar[dict[str, Any]]

    class Meta:
        """marshmallow's options."""

        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say what to do where null was sent for what cannot be empty."""
        super().on_bind_field(field_name, field_obj)
        told = {"null": self._not_null(field_obj)}
        field_obj.error_messages = field_obj.error_messages | told

    def _not_null(self, field: fields.Field[Any]) -> str:
        or_not = "" if field.required else " or leave it out"
        return f"This cannot be null: send a value{or_not}."

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.makes(**data)

    def read(self, value: Any) -> Any:
        """Return the dataclass, or raise Invalid naming every wrong field."""
        if not isinstance(value, dict):
            raise Invalid.field("", "Send a JSON object.")
        try:
            return self.load(value)
        except ValidationError as error:
            raise Invalid(details=list(_details(error.normalized_messages()))) from error


class Replacement(Inbound):
    """Reads the whole of a record (PUT), or with `partial=True` what is to change of it (PATCH).

    Gives a mapping of the record's own names to new values. In a merge patch (RFC 7396) null
    removes: fields that can be empty allow it, others answer that they cannot be null.
    """

    makes: ClassVar[type[Any]] = dict

    def _not_null(self, field: fields.Field[Any]) -> str:
        if self.partial:
            return "This cannot be removed: leave it out to keep what it is."
        return super()._not_null(field)


# Of a field: its key, its name in mappings, how records give its value, and what writes that.
_Part = tuple[str, str, Callable[[Any], Any], Callable[[Any], Any] | None]


class Outbound(Schema):
    """Lists what leaves, written by functions that are made once, of its fields.

    marshmallow looks every field up again for every value: a page of people took it as long as
    PostgreSQL takes to find them. What orjson writes by itself is left to it.
    """

    example: ClassVar[dict[str, Any]]
    # Fields that are left out where they are None, by their own names.
    only_if_set: ClassVar[frozenset[str]] = frozenset()

    @property
    def names(self) -> list[str]:
        """Names of the fields on the wire."""
        return [item.data_key or name for name, item in self.fields.items()]

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Return what orjson makes JSON of: a dictionary, or a list of them."""
        if self.many if many is None else many:
            return [self._written(item) for item in obj]
        return self._written(obj)

    def _written(self, item: Any) -> dict[str, Any]:
        written = {}
        mapped = isinstance(item, Mapping)
        for key, name, of_record, write in self._parts:
            value = get_value(item, name) if mapped else of_record(item)
            if value is missing or (value is None and name in self.only_if_set):
                continue
            written[key] = value if write is None or value is None else write(value)
        return written

    @cached_property
    def _parts(self) -> list[_Part]:
        """What is done for each field."""
        parts: list[_Part] = []
        for name, field in self.dump_fields.items():
            known_as = field.attribute or name
            computed = isinstance(field, fields.Function)
            of_record = partial(field.serialize, name) if computed else attrgetter(known_as)
            write = None if computed else _writer(field)
            parts.append((field.data_key or name, known_as, of_record, write))
        return parts


class Text(fields.String):
    """Text, and nothing that is merely convertible to it; trimmed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.strip()


class Time(fields.DateTime):
    """RFC 3339 in UTC with Z and milliseconds."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        return _in_milliseconds(value)


# The same people are asked for again and again, with the moments that are theirs.
@lru_cache(maxsize=8_192)
def _in_milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


# orjson writes the values of these, or their texts, as they are.
_AS_THEY_ARE = frozenset(
    {fields.UUID, fields.String, fields.Email, fields.Boolean, fields.Integer, fields.Dict}
)


def _writer(field: fields.Field[Any]) -> Callable[[Any], Any] | None:
    """Return what makes JSON's kinds of a field's value, None where orjson does."""
    if type(field) in _AS_THEY_ARE:
        return None
    if isinstance(field, fields.Nested):
        return field.schema.dump
    if isinstance(field, fields.List):
        inner = _writer(field.inner)
        return None if inner is None else lambda values: [inner(value) for value in values]
    return partial(_serialized, field)


def _serialized(field: fields.Field[Any], value: Any) -> Any:
    return field._serialize(value, None, None)  # noqa: SLF001 - what a field's class overrides


def _details(messages: dict[str, Any], prefix: str = "") -> list[Detail]:
    details: list[Detail] = []
    for name, found in messages.items():
        path = f"{prefix}{name}" if name != "_schema" else prefix.rstrip(".")
        if isinstance(found, dict):
            details += _details(found, f"{path}.")
        else:
            details += [Detail(path, str(message)) for message in found]
    return details
