"""Bases of the schemas at the border: strict on the way in, explicit on the way out."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load

from api.problems import Invalid
from ops.errors import Detail


class Inbound(Schema):
    """Reads a JSON object into the frozen dataclass `makes`; unknown fields are refused."""

    makes: ClassVar[type[Any]]
    example: ClassVar[dict[str, Any]]

    class Meta:
        """marshmallow's options."""

        unknown = RAISE

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

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say what to do where null was sent for what cannot be empty."""
        super().on_bind_field(field_name, field_obj)
        way_out = "leave it out to keep what it is" if self.partial else "send a value"
        told = {"null": f"This cannot be removed: {way_out}."}
        field_obj.error_messages = field_obj.error_messages | told


class Outbound(Schema):
    """Lists what leaves."""

    example: ClassVar[dict[str, Any]]


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
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _details(messages: dict[str, Any], prefix: str = "") -> list[Detail]:
    details: list[Detail] = []
    for name, found in messages.items():
        path = f"{prefix}{name}" if name != "_schema" else prefix.rstrip(".")
        if isinstance(found, dict):
            details += _details(found, f"{path}.")
        else:
            details += [Detail(path, str(message)) for message in found]
    return details
