"""Teams of seeded people: one has half of them, the next a quarter, and so on."""

from datetime import timedelta

from storage.seed.marks import SEEDED, seeded_id
from storage.seed.parts import Run, Seeder

NAMES = (
    "Engineering", "Support", "Sales", "Marketing", "Finance", "Operations", "Research", "Design",
    "Legal", "People", "Security", "Board",
)  # fmt: skip

_AGE = timedelta(days=300)

ADD = """
INSERT INTO teams (id, name, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT DO NOTHING RETURNING id
"""

# Of the living among those whose number has its lowest set bit at this place.
FILL = """
INSERT INTO team_members (team_id, user_id)
SELECT $1, id FROM users
WHERE id::text LIKE $2 AND deleted_at IS NULL
  AND ('x' || right(id::text, 8))::bit(32)::bigint % (2 * $3::bigint) = $3
ON CONFLICT DO NOTHING
"""

# Everybody of `people` is in each, so that there is something to see.
MANAGE = """
INSERT INTO team_members (team_id, user_id, role)
SELECT $1, id, CASE email WHEN 'manager@example.com' THEN 'manager' ELSE 'member' END FROM users
WHERE id::text LIKE $2 AND email = ANY($3) AND deleted_at IS NULL
ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role
"""

REMOVE_MEMBERS = """
DELETE FROM team_members WHERE team_id IN (SELECT id FROM teams WHERE id::text LIKE $1)
"""

REMOVE = "DELETE FROM teams WHERE id::text LIKE $1"

_IN_EVERY_FIRST = 3
_PEOPLE = ["user@example.com", "manager@example.com"]


async def _add(run: Run) -> int:
    added = 0
    for number, name in enumerate(NAMES):
        made_at = run.now - _AGE
        about = f"The made-up team {name}."
        team_id = await run.connection.fetchval(
            ADD, seeded_id(made_at, number + 1), name, about, made_at
        )
        if team_id is None:
            continue
        added += 1
        await run.connection.execute(FILL, team_id, SEEDED, 1 << number)
        if number < _IN_EVERY_FIRST:
            await run.connection.execute(MANAGE, team_id, SEEDED, _PEOPLE)
        run.progress("teams", number + 1, len(NAMES))
    return added


async def _remove(run: Run) -> int:
    await run.connection.execute(REMOVE_MEMBERS, SEEDED)
    return int((await run.connection.execute(REMOVE, SEEDED)).split()[-1])


TEAMS = Seeder(help="twelve teams of the seeded people", add=_add, remove=_remove)
