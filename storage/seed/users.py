"""Made-up people by the million: names as frequent as in life, spread over three years, by COPY."""

import random
import secrets
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from storage.roles import BuiltInRole
from storage.seed.bulk import BULK, copied, loaded
from storage.seed.marks import SEEDED, seeded_id
from storage.seed.names import DOMAINS, FIRST_NAMES, LAST_NAMES, as_local_part, weights
from storage.seed.parts import Run, Seeder

# The numbers below are those of the few people one signs in as (`people`).
FIRST_NUMBER = 1_000

# One more would have somebody else's address.
MOST = 10_000_000

_YEARS = timedelta(days=3 * 365)
_CHUNK = 10_000
_UNUSED, _SUSPENDED, _DELETED, _UNVERIFIED, _PREMIUM, _MANAGERS = 0.15, 0.02, 0.02, 0.05, 0.06, 0.02

# Of those whom this seeder made.
NUMBERS = """
SELECT count(*) AS people, coalesce(max(('x' || right(id::text, 8))::bit(32)::bigint), 0) AS last
FROM users
WHERE id::text LIKE $1 AND ('x' || right(id::text, 8))::bit(32)::bigint >= $2
"""

REMOVE = """
DELETE FROM users
WHERE id::text LIKE $1 AND ('x' || right(id::text, 8))::bit(32)::bigint >= $2
"""

ROLE_IDS = "SELECT name, id FROM roles WHERE name IN ('user', 'manager')"

_COLUMNS = (
    "id", "email", "email_verified", "password_hash", "first_name", "last_name", "is_active",
    "last_login_at", "plan", "created_at", "updated_at", "deleted_at",
)  # fmt: skip
_HELD = ("user_id", "role_id", "user_created_at", "created_at", "updated_at")


async def seeded_users(connection: Any) -> int:
    """Return how many there are."""
    return int((await connection.fetchrow(NUMBERS, SEEDED, FIRST_NUMBER))["people"])


async def _add(run: Run) -> int:
    found = await run.connection.fetchrow(NUMBERS, SEEDED, FIRST_NUMBER)
    missing = run.users - int(found["people"])
    if missing <= 0:
        return 0
    first = max(found["last"] + 1, FIRST_NUMBER)
    if missing < BULK:
        await _copy(run, first, missing)
        return missing
    async with loaded(run.connection, "users", "user_roles"):
        await _copy(run, first, missing)
        run.progress("indexes", 0, 1)
    run.progress("indexes", 1, 1)
    return missing


async def _copy(run: Run, first: int, count: int) -> None:
    roles = {row["name"]: row["id"] for row in await run.connection.fetch(ROLE_IDS)}
    held: list[tuple[UUID, UUID, datetime, datetime, datetime]] = []
    hashed = run.password_hash or _unusable_hash()
    made = _people(run, first=first, count=count, password_hash=hashed, roles=roles, held=held)
    await copied(run.connection, "users", records=made, columns=_COLUMNS)
    run.progress("roles", 0, 1)
    await copied(run.connection, "user_roles", records=held, columns=_HELD)
    run.progress("roles", 1, 1)


def _people(  # noqa: PLR0913 - one row of a table each
    run: Run,
    *,
    first: int,
    count: int,
    password_hash: str,
    roles: dict[str, UUID],
    held: list[tuple[UUID, UUID, datetime, datetime, datetime]],
) -> Iterator[tuple[Any, ...]]:
    """Give the rows of people, the oldest first, and put down what role each has in `held`."""
    chance = random.Random(first)  # noqa: S311 - nobody has to guess these
    begun, step = run.now - _YEARS, _YEARS / count
    firsts, lasts = weights(FIRST_NAMES), weights(LAST_NAMES)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        names = zip(
            chance.choices(FIRST_NAMES, cum_weights=firsts, k=size),
            chance.choices(LAST_NAMES, cum_weights=lasts, k=size),
            strict=True,
        )
        for offset, (first_name, last_name) in enumerate(names, start):
            made_at = begun + step * offset
            user_id = seeded_id(made_at, first + offset)
            role = BuiltInRole.MANAGER if chance.random() < _MANAGERS else BuiltInRole.USER
            held.append((user_id, roles[role], made_at, made_at, made_at))
            local = f"{as_local_part(first_name)}.{as_local_part(last_name)}"
            yield (
                user_id,
                f"{local}.{_scattered(first + offset)}@{DOMAINS[offset % len(DOMAINS)]}",
                chance.random() >= _UNVERIFIED,
                password_hash,
                first_name,
                last_name,
                *_state(chance, made_at, run.now),
            )
        run.progress("users", start + size, count)


def _scattered(number: int) -> int:
    """Return another number for each below `MOST`: addresses do not tell who came first."""
    return number * 7_919 % MOST


def _state(chance: random.Random, made_at: datetime, now: datetime) -> tuple[Any, ...]:
    """Return whether they are active, their last sign-in, plan, and when the row was changed."""
    age = now - made_at
    fate = chance.random()
    last_login = None if chance.random() < _UNUSED else made_at + age * chance.random()
    deleted_at = made_at + age * chance.random() if fate < _DELETED else None
    changed_at = deleted_at or last_login or made_at
    return (
        not _DELETED <= fate < _DELETED + _SUSPENDED,
        last_login,
        "premium" if chance.random() < _PREMIUM else "free",
        made_at,
        changed_at,
        deleted_at,
    )


def _unusable_hash() -> str:
    """Return a hash as long as every other, of no password that anybody knows."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m=19456,t=2,p=1${salt}${digest}"


async def _remove(run: Run) -> int:
    return int((await run.connection.execute(REMOVE, SEEDED, FIRST_NUMBER)).split()[-1])


USERS = Seeder(help="made-up people: --users N of them", add=_add, remove=_remove)
