"""Teams of seeded people: one has half of them, the next a quarter, and so on, none too many."""

from datetime import timedelta
from uuid import UUID

from storage.seed.marks import SEEDED, seeded_id
from storage.seed.parts import Run, Seeder
from storage.seed.users import FIRST_NUMBER
from storage.teams import MAX_MEMBERS

NAMES = (
    "Engineering", "Support", "Sales", "Marketing", "Finance", "Operations", "Research", "Design",
    "Legal", "People", "Security", "Board",
)  # fmt: skip

_AGE = timedelta(days=300)

ADD = """
INSERT INTO teams (id, name, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT DO NOTHING RETURNING id
"""

# A person is in the team whose bit is the lowest one set in their number, unless as many as may be
# have one below it: one look at everybody.
FILL = """
INSERT INTO team_members (team_id, user_id, user_created_at)
SELECT team.id, users.id, users.created_at
FROM (
    SELECT id, created_at, ('x' || right(id::text, 8))::bit(32)::bigint AS number FROM users
    WHERE id::text LIKE $1 AND deleted_at IS NULL
) AS users
JOIN unnest($2::uuid[], $3::bigint[]) AS team (id, bit) ON team.bit = users.number & -users.number
WHERE (users.number - $4) / (2 * team.bit) < $5
ON CONFLICT DO NOTHING
"""

# Everybody of `people` is in each, so that there is something to see.
MANAGE = """
INSERT INTO team_members (team_id, user_id, user_created_at, role)
SELECT $1, id, created_at,
    CASE email WHEN 'manager@example.com' THEN 'manager' ELSE 'member' END
FROM users
WHERE id::text LIKE $2 AND email = ANY($3) AND deleted_at IS NULL
ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role
"""

REMOVE_MEMBERS = """
DELETE FROM team_members WHERE team_id IN (SELECT id FROM teams WHERE id::text LIKE $1)
"""

REMOVE = "DELETE FROM teams WHERE id::text LIKE $1"

_IN_EVERY_FIRST = 3
# Left in every team, for the people of `people` and for trying it out.
_ROOM = 10
_PEOPLE = ["user@example.com", "manager@example.com"]


async def _add(run: Run) -> int:
    made_at = run.now - _AGE
    teams: dict[int, UUID] = {}
    for number, name in enumerate(NAMES):
        about = f"The made-up team {name}."
        row = (seeded_id(made_at, number + 1), name, about, made_at)
        if team_id := await run.connection.fetchval(ADD, *row):
            teams[number] = team_id
    bits = [1 << number for number in teams]
    most = MAX_MEMBERS - _ROOM
    await run.connection.execute(FILL, SEEDED, list(teams.values()), bits, FIRST_NUMBER, most)
    for number, team_id in teams.items():
        if number < _IN_EVERY_FIRST:
            await run.connection.execute(MANAGE, team_id, SEEDED, _PEOPLE)
    return len(teams)


async def _remove(run: Run) -> int:
    await run.connection.execute(REMOVE_MEMBERS, SEEDED)
    return int((await run.connection.execute(REMOVE, SEEDED)).split()[-1])


TEAMS = Seeder(help="twelve teams of the seeded people", add=_add, remove=_remove)
