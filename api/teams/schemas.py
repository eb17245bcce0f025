"""What endpoints of teams take and give, and how their lists can be asked for."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from api.fields import Emptiable, Id, Line, Prose
from api.filters import choice, identifier
from api.paging import Lists
from api.schemas import Inbound, Outbound, Replacement, Time
from api.teams.membership import Placement
from api.teams.service import NewTeam
from storage.teams import TeamRole

_ROLES = [str(role) for role in TeamRole]
_SHORTEST_NAME, _LONGEST_NAME, _LONGEST_DESCRIPTION = 2, 100, 1_000

TEAM_LISTS = Lists(
    sorts=("createdAt", "updatedAt", "name"),
    filters={"member": identifier("Teams that this user is in.")},
)
MEMBER_LISTS = Lists(
    sorts=("since", "firstName", "lastName", "email"),
    filters={"role": choice(*_ROLES, description="What they are in the team.")},
)


class Description(Emptiable, Prose):
    """Text of at most 1,000 characters; null is the empty one."""

    def __init__(self) -> None:
        super().__init__(_LONGEST_DESCRIPTION)


class NewTeamSchema(Inbound):
    """A team to create."""

    makes = NewTeam
    example: ClassVar[dict[str, Any]] = {
        "name": "Support",
        "description": "Answers customers, Monday to Friday.",
    }

    name = Line(_SHORTEST_NAME, _LONGEST_NAME, required=True)
    description = Description()
    manager_id = Id(
        data_key="managerId",
        metadata={
            "description": "Who manages it in your place; only with the permission teams:manage."
        },
    )


class TeamChangeSchema(Replacement):
    """What is to change of a team; null empties the description."""

    example: ClassVar[dict[str, Any]] = {"name": "Customer support"}

    name = Line(_SHORTEST_NAME, _LONGEST_NAME)
    description = Description()


class PlacementSchema(Inbound):
    """What somebody is to be in a team."""

    makes = Placement
    example: ClassVar[dict[str, Any]] = {"role": "member"}

    role = fields.String(
        validate=validate.OneOf(_ROLES),
        metadata={"description": "`member` unless said otherwise."},
    )


class TeamSchema(Outbound):
    """A team."""

    example: ClassVar[dict[str, Any]] = {
        "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
        "name": "Support",
        "description": "Answers customers, Monday to Friday.",
        "memberCount": 7,
        "myRole": "manager",
        "version": 3,
        "createdAt": "2026-11-21T10:30:00.000Z",
        "updatedAt": "2026-11-21T10:45:00.000Z",
    }

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    member_count = fields.Integer(required=True, data_key="memberCount")
    my_role = fields.String(
        required=True,
        allow_none=True,
        data_key="myRole",
        metadata={
            "description": "What the caller is in it, null: nothing.",
            "enum": [*_ROLES, None],
        },
    )
    version = fields.Integer(
        required=True, metadata={"description": "Counts changes of who is in it too."}
    )
    created_at = Time(required=True, data_key="createdAt")
    updated_at = Time(required=True, data_key="updatedAt")


class MemberSchema(Outbound):
    """Somebody in a team."""

    example: ClassVar[dict[str, Any]] = {
        "userId": "01935b5c-7f2a-7c11-9d0e-1f2a3b4c5d6e",
        "firstName": "John",
        "lastName": "Doe",
        "email": "user@example.com",
        "role": "member",
        "since": "2026-11-21T10:45:00.000Z",
    }

    user_id = fields.UUID(required=True, data_key="userId", attribute="id")
    first_name = fields.String(required=True, data_key="firstName")
    last_name = fields.String(required=True, data_key="lastName")
    email = fields.Email(required=True)
    role = fields.String(required=True, validate=validate.OneOf(_ROLES))
    since = Time(required=True)
