"""The list of teams: its orders and filters."""

from storage.pages import Listing
from storage.teams.records import COLUMNS, LIVING

_HOLDS = """EXISTS (
    SELECT FROM team_members JOIN users ON users.id = team_members.user_id
    WHERE team_members.team_id = teams.id AND users.id = $? AND users.deleted_at IS NULL
)"""

LIST = Listing(
    select=f"SELECT {COLUMNS}, ({{order}})::text AS sort_value FROM {{rows}} {LIVING}",  # noqa: S608
    table="teams",
    orders={
        "createdAt": "teams.created_at",
        "updatedAt": "teams.updated_at",
        "name": "lower(teams.name)",
    },
    conditions={"member": _HOLDS, "reader": _HOLDS},
    alphabetical=frozenset({"name"}),
)
