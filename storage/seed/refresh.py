"""Removing what was seeded, unless that would take along what was not."""

from typing import Any

from storage.seed.marks import SEEDED
from storage.seed.parts import SeedError

# Names of seeders to those whose rows would go, too, with theirs.
_ALONG = {
    "people": ("teams", "content"),
    "users": ("teams", "content"),
}

OWN_CONTENT = """
SELECT count(*) FROM content JOIN users ON users.id = content.owner_id
WHERE users.id::text LIKE $1 AND content.id::text NOT LIKE $1
"""

IN_TEAMS = """
SELECT count(*) FROM team_members
WHERE user_id::text LIKE $1 AND team_id::text NOT LIKE $1
"""

HAVE_MEMBERS = """
SELECT count(*) FROM team_members
WHERE team_id::text LIKE $1 AND user_id::text NOT LIKE $1
"""

HAVE_CONTENT = """
SELECT count(*) FROM content WHERE team_id::text LIKE $1 AND content.id::text NOT LIKE $1
"""

_FOREIGN = {
    "people": {
        OWN_CONTENT: "pieces of content belong to seeded people",
        IN_TEAMS: "memberships of seeded people are in teams of somebody's",
    },
    "teams": {
        HAVE_MEMBERS: "people who were not seeded are in seeded teams",
        HAVE_CONTENT: "pieces of content belong to seeded teams",
    },
}
_FOREIGN["users"] = _FOREIGN["people"]


def with_dependents(names: list[str], known: list[str]) -> list[str]:
    """Return which seeders have to be refreshed with these, in the order of `known`."""
    wanted = {*names, *(other for name in names for other in _ALONG.get(name, ()))}
    return [name for name in known if name in wanted]


async def check_nothing_foreign(connection: Any, names: list[str]) -> None:
    """Raise SeedError when removing these would touch what was not seeded."""
    for name in names:
        for statement, what in _FOREIGN.get(name, {}).items():
            if count := await connection.fetchval(statement, SEEDED):
                raise SeedError(
                    f"nothing was refreshed: {count} {what}; move or remove these first"
                )
