"""What roles take and give."""

from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from api.fields import Emptiable, Line
from api.ids import is_id
from api.roles.service import HIGHEST_OWN_RANK, NAME, NewRole
from api.schemas import Inbound, Outbound, Replacement, Text, Time
from storage.roles import Permission

_HIGHEST_RANK = 1_000
_MAX_DESCRIPTION = 500

_RANK = "Of two roles the one of greater rank is the higher; nobody changes who stands higher."
_PERMISSIONS = "Names out of GET /permissions."
_EXAMPLE = {
    "name": "auditor",
    "description": "Reads everything, changes nothing.",
    "rank": 200,
    "permissions": ["content:read", "users:read"],
}


def _is_no_id(name: str) -> None:
    if is_id(name):
        raise ValidationError("This looks like an id. Choose a name.")


class RoleName(Text):
    """A name of 2 to 50 characters that is no id: both name a role in a path."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = validate.Regexp(
            f"^{NAME.pattern}$",
            error="Write 2 to 50 of a-z, 0-9, _ and -, the first of them a letter.",
        )
        super().__init__(validate=[pattern, _is_no_id], **kwargs)


class Description(Emptiable, Line):
    """One line of at most 500 characters; null is the empty one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(0, _MAX_DESCRIPTION, **kwargs)


class Permissions(fields.List[str]):
    """Names of permissions, each once whatever is sent, sorted."""

    def __init__(self, **kwargs: Any) -> None:
        known = validate.OneOf(list(Permission), error="GET /permissions lists what there is.")
        super().__init__(
            fields.String(validate=known),
            validate=validate.Length(max=2 * len(Permission)),
            metadata={"description": _PERMISSIONS},
            **kwargs,
        )

    def deserialize(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return each name once; what was sent is counted and checked before."""
        return sorted(set(super().deserialize(*args, **kwargs)))


class NewRoleSchema(Inbound):
    """A new role."""

    makes = NewRole
    example: ClassVar[dict[str, Any]] = _EXAMPLE

    name = RoleName(required=True)
    description = Description(load_default="")
    rank = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0, HIGHEST_OWN_RANK),
        metadata={"description": _RANK},
    )
    permissions = Permissions(load_default=list)


class RoleChangeSchema(Replacement):
    """A role as it is to be."""

    example: ClassVar[dict[str, Any]] = _EXAMPLE

    name = RoleName(required=True)
    description = Description(load_default="")
    rank = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0, _HIGHEST_RANK),
        metadata={"description": f"{_RANK} Only `admin` has {_HIGHEST_RANK}."},
    )
    permissions = Permissions(required=True)


class RoleSchema(Outbound):
    """A role, and what it permits."""

    example: ClassVar[dict[str, Any]] = _EXAMPLE | {
        "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
        "builtIn": False,
        "version": 1,
        "createdAt": "2026-11-21T10:30:00.000Z",
        "updatedAt": "2026-11-21T10:30:00.000Z",
    }

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    rank = fields.Integer(required=True, metadata={"description": _RANK})
    built_in = fields.Boolean(
        required=True,
        data_key="builtIn",
        metadata={"description": "Every installation has it; its name and rank are fixed."},
    )
    permissions = fields.List(fields.String(), required=True)
    version = fields.Integer(required=True)
    created_at = Time(required=True, data_key="createdAt")
    updated_at = Time(required=True, data_key="updatedAt")


class PermissionSchema(Outbound):
    """A permission, and which roles have it."""

    example: ClassVar[dict[str, Any]] = {
        "name": "users:read",
        "description": "Read every user",
        "roles": ["admin", "manager"],
    }

    name = fields.String(required=True)
    description = fields.String(required=True)
    roles = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Names of the roles that have it, the highest first."},
    )


class HeldRolesSchema(Outbound):
    """Which roles somebody has."""

    example: ClassVar[dict[str, Any]] = {
        "userId": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
        "role": "manager",
        "roles": ["manager", "user"],
    }

    id = fields.UUID(required=True, data_key="userId")
    role = fields.String(required=True, metadata={"description": "The highest of them."})
    roles = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The highest first; who has none is a guest."},
    )
