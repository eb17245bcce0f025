"""python -m storage seed: what it adds, what it leaves alone, what it refuses."""

import asyncio
import json
from typing import Any

from argon2 import PasswordHasher

from ops.ids import new_id
from storage.seed.users import _YEARS
from tests.factories import OPS_TOKEN
from tests.storage.conftest import Command, Seed

_PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://auth.acme.com",
    "SMTP_URL": "smtp://relay.acme.com",
    "OPS_TOKEN": OPS_TOKEN,
}
_MATRIX = """
SELECT roles.id, roles.name, roles.rank, roles.description, roles.built_in, permission,
    permissions.description AS about
FROM role_permissions JOIN roles ON roles.id = role_id JOIN permissions
    ON permissions.name = permission
ORDER BY roles.name, permission
"""
_ROLES_OF = """
SELECT email, array_agg(name)::text[] AS names
FROM users JOIN user_roles ON user_id = users.id JOIN roles ON roles.id = role_id
WHERE email LIKE '%@example.com' GROUP BY email ORDER BY email
"""
_ALL_FORGOTTEN = """
SELECT count(*) FROM revocations WHERE num_nonnulls(user_id, session_id, role_id) = 0
"""
_COUNTS = """
SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM user_roles) AS roles,
    (SELECT count(*) FROM teams) AS teams, (SELECT count(*) FROM team_members) AS members,
    (SELECT count(*) FROM content) AS content
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text AS relation, conname, pg_get_constraintdef(oid), convalidated
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
_IN_ORDER = """
SELECT count(*) FROM users
JOIN user_last_logins ON user_last_logins.user_id = users.id
JOIN user_changes ON user_changes.user_id = users.id
WHERE user_last_logins.living = (deleted_at IS NULL) AND user_changes.living = (deleted_at IS NULL)
  AND user_changes.updated_at = users.updated_at
  AND user_last_logins.last_login_at = coalesce(users.last_login_at, '-infinity')
"""
_SIZES = """
SELECT count(*) AS size FROM team_members JOIN teams ON teams.id = team_id
GROUP BY teams.id ORDER BY teams.id
"""
_ANOTHER_AGE = """
SELECT count(*) FROM users JOIN user_roles ON user_roles.user_id = users.id
LEFT JOIN team_members ON team_members.user_id = users.id
WHERE users.created_at IS DISTINCT FROM user_roles.user_created_at
    OR users.created_at <> team_members.user_created_at
"""
_END_COPY = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE query LIKE 'COPY%users%' AND state = 'active' AND datname = current_database()
"""
_TRIGGERS_OFF = "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'"
_ADD_CONTENT = "INSERT INTO content (id, title, owner_id) SELECT $1, 'Mine', id FROM users LIMIT 1"


async def test_development_gets_people_teams_and_content_and_a_password_once(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    first = await seed(own_environ)
    before = await empty.fetchrow(_COUNTS)
    second = await seed(own_environ)

    assert first["added"] == {"essentials": 0, "people": 3, "teams": 12, "content": 60}
    assert [tuple(row) for row in await empty.fetch(_ROLES_OF)] == [
        ("admin@example.com", ["admin"]),
        ("manager@example.com", ["manager"]),
        ("user@example.com", ["user"]),
    ]
    for row in await empty.fetch("SELECT password_hash, email_verified FROM users"):
        assert PasswordHasher().verify(row["password_hash"], first["password"])
        assert row["email_verified"]
    assert set(second["added"].values()) == {0}
    assert second["password"] is None
    assert await empty.fetchrow(_COUNTS) == before
    events = await empty.fetch("SELECT action, facts FROM audit_inbox")
    assert [(row["action"], json.loads(row["facts"])) for row in events] == [
        ("user.seeded", {"people": 3, "teams": 12, "content": 60})
    ]


async def test_a_password_of_the_environment_is_taken_and_never_printed(
    empty: Any, own_environ: dict[str, str], command: Command
) -> None:
    environ = own_environ | {"SEED_PASSWORD": "Canary-of-the-seed-9"}

    code, told = await command(environ, "seed", "people", "users", "--users", "5")
    short = await command(environ | {"SEED_PASSWORD": "short"}, "seed", "--refresh")

    assert code == 0
    assert "Canary" not in told
    assert "password of the people" not in told
    for row in await empty.fetch("SELECT password_hash FROM users"):
        assert PasswordHasher().verify(row["password_hash"], environ["SEED_PASSWORD"])
    assert short == (1, "SEED_PASSWORD has 8 to 256 characters\n")


async def test_made_up_people_are_of_every_kind_and_none_is_made_twice(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await seed(own_environ, "--users", "400", "users")
    more = await seed(own_environ, "--users", "1500", "users")
    same = await seed(own_environ, "--users", "1500", "users")

    assert (more["added"], same["added"]) == ({"users": 1_100}, {"users": 0})
    facts = await empty.fetchrow(
        "SELECT count(*) AS people, count(DISTINCT email) AS addresses,"
        " count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted,"
        " count(*) FILTER (WHERE NOT is_active) AS suspended,"
        " count(*) FILTER (WHERE NOT email_verified) AS unverified,"
        " count(*) FILTER (WHERE plan = 'premium') AS premium,"
        " count(*) FILTER (WHERE last_login_at < created_at OR updated_at < created_at) AS odd,"
        " max(created_at) - min(created_at) AS span, max(created_at) < now() AS past FROM users"
    )
    assert facts["people"] == facts["addresses"] == 1_500
    for kind in ("deleted", "suspended", "unverified", "premium"):
        assert 5 < facts[kind] < 200, kind
    assert facts["odd"] == 0
    assert facts["past"]
    assert facts["span"] > _YEARS * 0.9
    roles = await empty.fetch("SELECT name, count(*) FROM roles JOIN user_roles ON id = role_id"
                              " GROUP BY name ORDER BY name")  # fmt: skip
    assert [row["name"] for row in roles] == ["manager", "user"]
    assert sum(row["count"] for row in roles) == 1_500


async def test_many_people_leave_every_trigger_and_index_as_it_was(
    empty: Any, own_environ: dict[str, str], command: Command
) -> None:
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    before = await empty.fetch(indexes)
    guarded = await empty.fetch(_CONSTRAINTS)

    code, told = await command(own_environ, "seed", "users", "teams", "--users", "20500")

    assert code == 0, told
    assert "users: 20,500 of 20,500" in told
    assert "\r" not in told
    assert await empty.fetch(indexes) == before
    assert await empty.fetch(_CONSTRAINTS) == guarded
    assert await empty.fetchval(_TRIGGERS_OFF) == 0
    counts = await empty.fetchrow(_COUNTS)
    assert (counts["users"], counts["roles"], counts["teams"]) == (20_500, 20_500, 12)
    sizes = [row["size"] for row in await empty.fetch(_SIZES)]
    assert sizes[4:] == sorted(sizes[4:], reverse=True)
    assert all(940 < size <= 990 for size in sizes[:4]), sizes
    assert sizes[4] > 600
    assert await empty.fetchval(_ANOTHER_AGE) == 0
    assert await empty.fetchval(_IN_ORDER) == 20_500
    # Web processes forget whatever they had in memory.
    assert await empty.fetchval(_ALL_FORGOTTEN) == 1


async def test_a_server_that_goes_while_people_are_copied_ends_it_with_nothing_done(
    empty: Any, own_environ: dict[str, str], command: Command
) -> None:
    seeding = asyncio.create_task(command(own_environ, "seed", "users", "--users", "400000"))

    while not await empty.fetchval(_END_COPY):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.05)
    code, told = await asyncio.wait_for(seeding, 20)

    assert code == 1
    assert "nothing was seeded: " in told
    assert "Traceback" not in told
    assert await empty.fetchval("SELECT count(*) FROM users") == 0


async def test_refresh_removes_what_was_seeded_and_nothing_else(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await empty.execute(
        "INSERT INTO users (id, email, first_name, last_name)"
        " VALUES ($1, 'somebody@mail.example', 'Some', 'Body')",
        new_id(),
    )
    await seed(own_environ, "--users", "50")
    old = await empty.fetchval("SELECT id FROM users WHERE email = 'admin@example.com'")
    before = await empty.fetchrow(_COUNTS)

    done = await seed(own_environ, "--refresh", "--users", "50")

    assert done["removed"] == {"content": 60, "teams": 12, "users": 50, "people": 3}
    assert done["added"] == {"essentials": 0, "people": 3, "users": 50, "teams": 12, "content": 60}
    after = await empty.fetchrow(_COUNTS)
    assert (after["users"], after["teams"], after["content"]) == (54, 12, 60)
    assert after["users"] == before["users"]
    admin = await empty.fetchval("SELECT id FROM users WHERE email = 'admin@example.com'")
    assert admin != old
    assert await empty.fetchval("SELECT true FROM users WHERE email = 'somebody@mail.example'")


async def test_refresh_is_refused_when_it_would_take_along_what_was_not_seeded(
    empty: Any, own_environ: dict[str, str], command: Command, seed: Seed
) -> None:
    await seed(own_environ)
    await empty.execute(_ADD_CONTENT, new_id())
    before = await empty.fetchrow(_COUNTS)

    refused = await command(own_environ, "seed", "--refresh")

    assert refused[0] == 1
    assert "1 pieces of content belong to seeded people; move or remove these first" in refused[1]
    assert await empty.fetchrow(_COUNTS) == before


async def test_an_address_that_is_somebodys_is_left_to_them(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    await empty.execute(
        "INSERT INTO users (id, email, first_name, last_name)"
        " VALUES ($1, 'admin@example.com', 'Real', 'Admin')",
        new_id(),
    )

    done = await seed(own_environ, "people")

    assert done["added"] == {"people": 2}
    assert done["notes"] == ["admin@example.com is there already, with the password they have"]
    assert await empty.fetchval("SELECT first_name FROM users WHERE email LIKE 'admin@%'") == "Real"
    assert "admin@example.com" not in [row["email"] for row in await empty.fetch(_ROLES_OF)]


async def test_production_gets_essentials_and_nothing_else(
    empty: Any, own_environ: dict[str, str], command: Command, seed: Seed
) -> None:
    environ = own_environ | _PRODUCTION
    for arguments in (("people",), ("users", "essentials"), ("--users", "9"), ("--refresh",)):
        refused = await command(environ, "seed", *arguments)
        assert refused[0] == 1, arguments
        assert "refused in production" in refused[1]

    done = await seed(environ)

    assert done["added"] == {"essentials": 0}
    assert await empty.fetchval("SELECT count(*) FROM users") == 0


async def test_essentials_restore_what_the_migrations_made(
    empty: Any, own_environ: dict[str, str], seed: Seed
) -> None:
    before = await empty.fetch(_MATRIX)
    await empty.execute("DELETE FROM role_permissions; DELETE FROM roles; DELETE FROM permissions")

    done = await seed(own_environ | _PRODUCTION, "essentials")

    assert await empty.fetch(_MATRIX) == before
    assert "restored role admin" in done["notes"]
    assert await empty.fetchval("SELECT action FROM audit_inbox") == "role.restored"


async def test_wrong_wishes_are_told_what_to_do(
    fresh: Any, own_environ: dict[str, str], command: Command
) -> None:
    unmigrated = await command(own_environ, "seed")
    unknown = await command(own_environ, "seed", "nonsense")
    none = await command(own_environ, "seed", "--users", "0")
    nowhere = await command({"OSTIARY_HOME": own_environ["OSTIARY_HOME"]}, "seed")
    await command(own_environ, "migrate")
    as_api = await command(
        own_environ | {"MIGRATION_DATABASE_URL": own_environ["DATABASE_URL"]},
        *("seed", "users", "--users", "20500"),
    )

    assert (unmigrated[0], "python -m storage migrate" in unmigrated[1]) == (1, True)
    assert (unknown[0], "there are essentials, people, users" in unknown[1]) == (1, True)
    assert (none[0], "--users is a number from 1" in none[1]) == (1, True)
    assert (nowhere[0], "DATABASE_URL: not set" in nowhere[1]) == (78, True)
    assert (as_api[0], "set MIGRATION_DATABASE_URL" in as_api[1]) == (1, True)
    assert await fresh.fetchval("SELECT count(*) FROM users") == 0
