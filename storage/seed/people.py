"""A few people to sign in as while developing: a user, a manager, an admin."""

from datetime import timedelta

from storage.roles import BuiltInRole
from storage.seed.marks import SEEDED, seeded_id
from storage.seed.parts import Run, Seeder
from storage.seed.users import FIRST_NUMBER

# The number of the id, who they are, and the address, under a domain reserved by RFC 2606.
PEOPLE = (
    (1, BuiltInRole.USER, "Ursula", "User", "user@example.com"),
    (2, BuiltInRole.MANAGER, "Max", "Manager", "manager@example.com"),
    (3, BuiltInRole.ADMIN, "Ada", "Admin", "admin@example.com"),
)

_AGE = timedelta(days=30)

TAKEN = "SELECT id FROM users WHERE email = $1 AND deleted_at IS NULL"

ADD = """
INSERT INTO users (id, email, first_name, last_name, password_hash, email_verified, created_at,
    updated_at)
VALUES ($1, $2, $3, $4, $5, true, $6, $6)
"""

ASSIGN = """
INSERT INTO user_roles (user_id, role_id, user_created_at)
SELECT $1, id, $3 FROM roles WHERE name = $2
ON CONFLICT DO NOTHING
"""

HOW_MANY = "SELECT count(*) FROM users WHERE email = ANY($1) AND deleted_at IS NULL"

# Those who were deleted softly go, too.
REMOVE = """
DELETE FROM users
WHERE id::text LIKE $1 AND ('x' || right(id::text, 8))::bit(32)::bigint < $2
"""


async def _add(run: Run) -> int:
    added = 0
    for number, role, first_name, last_name, email in PEOPLE:
        if await run.connection.fetchval(TAKEN, email):
            run.tell(f"{email} is there already, with the password they have")
            continue
        made_at = run.now - _AGE
        user_id = seeded_id(made_at, number)
        who = (user_id, email, first_name, last_name)
        await run.connection.execute(ADD, *who, run.password_hash, made_at)
        await run.connection.execute(ASSIGN, user_id, role, made_at)
        added += 1
    return added


async def missing(connection: object) -> bool:
    """Say whether somebody would be added, who needs a password."""
    found: int = await connection.fetchval(HOW_MANY, [email for *_, email in PEOPLE])  # type: ignore[attr-defined]
    return found < len(PEOPLE)


async def _remove(run: Run) -> int:
    return int((await run.connection.execute(REMOVE, SEEDED, FIRST_NUMBER)).split()[-1])


PEOPLE_SEEDER = Seeder(
    help="a user, a manager and an admin to sign in as", add=_add, remove=_remove
)
