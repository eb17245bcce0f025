"""One run of seeders: all or nothing, one at a time, by the owner of the database."""

import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from argon2 import PasswordHasher

from ops.settings import Settings
from storage.actor import SYSTEM
from storage.audit import AuditInbox
from storage.database import DatabaseAway
from storage.migrate import Migrator, NotMigrated, read
from storage.seed import people
from storage.seed.bulk import BULK, without_triggers
from storage.seed.content import CONTENT
from storage.seed.essentials import ESSENTIALS
from storage.seed.parts import Run, Seeder, SeedError
from storage.seed.passwords import new_password
from storage.seed.people import PEOPLE_SEEDER
from storage.seed.refresh import check_nothing_foreign, with_dependents
from storage.seed.teams import TEAMS
from storage.seed.users import MOST, USERS, seeded_users

# In the order in which they need each other.
SEEDERS: Mapping[str, Seeder] = {
    "essentials": ESSENTIALS,
    "people": PEOPLE_SEEDER,
    "users": USERS,
    "teams": TEAMS,
    "content": CONTENT,
}
_IN_PRODUCTION = frozenset({"essentials"})
_UNLESS_NAMED = ("essentials", "people", "teams", "content")
_USERS_UNLESS_SAID = 1_000
_SHORTEST, _LONGEST = 8, 256

LOCK = "SELECT pg_advisory_xact_lock(4827160094)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to seed."""

    names: Sequence[str] = ()
    users: int | None = None
    refresh: bool = False
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done: rows by seeder, sentences, and a password that was made, told only here."""

    added: Mapping[str, int]
    removed: Mapping[str, int]
    told: Sequence[str]
    password: str | None = field(repr=False)


async def seed(
    settings: Settings, wish: Wish, progress: Callable[[str, int, int], None]
) -> Outcome:
    """Seed; raise SeedError, with nothing done, or DatabaseAway or NotMigrated."""
    names = _chosen(settings, wish)
    async with _owner(settings) as connection:
        try:
            async with connection.transaction():
                outcome = await _seed(connection, names, wish, progress)
            if any(outcome.added.values()) or any(outcome.removed.values()):
                # For the planner, and so that indexes alone can answer.
                progress("statistics", 0, 1)
                await connection.execute("VACUUM (ANALYZE)")
                progress("statistics", 1, 1)
        except asyncpg.InsufficientPrivilegeError as error:
            raise SeedError(
                f"{error}; set MIGRATION_DATABASE_URL to the role that owns the database"
            ) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Of a connection that was lost the transaction complains, not what was done in it.
            reason = "the connection was lost" if connection.is_closed() else error
            raise SeedError(f"nothing was seeded: {reason}") from error
    return outcome


def _chosen(settings: Settings, wish: Wish) -> list[str]:
    """Return the seeders to run, in order; raise SeedError for what must not be."""
    if unknown := sorted(set(wish.names) - SEEDERS.keys()):
        raise SeedError(f"no seeder is called {', '.join(unknown)}; there are {', '.join(SEEDERS)}")
    if wish.users is not None and not 0 < wish.users <= MOST // 2:
        raise SeedError(f"--users is a number from 1 to {MOST // 2}")
    if wish.password and not _SHORTEST <= len(wish.password) <= _LONGEST:
        raise SeedError(f"SEED_PASSWORD has {_SHORTEST} to {_LONGEST} characters")
    wanted = set(wish.names)
    if not settings.in_production:
        wanted = wanted or set(_UNLESS_NAMED)
        wanted |= {"users"} if wish.users else set()
        return [name for name in SEEDERS if name in wanted]
    if refused := wanted - _IN_PRODUCTION:
        raise SeedError(
            f"{', '.join(sorted(refused))}: refused in production, where nobody is made up;"
            f" only {', '.join(_IN_PRODUCTION)} can be seeded there"
        )
    if wish.refresh or wish.users is not None:
        raise SeedError("--refresh and --users are refused in production: leave them out")
    return list(_IN_PRODUCTION)


async def _seed(
    connection: Any,
    names: list[str],
    wish: Wish,
    progress: Callable[[str, int, int], None],
) -> Outcome:
    await connection.execute(LOCK)
    there = await seeded_users(connection)
    users = wish.users or max(there, _USERS_UNLESS_SAID)
    removed: dict[str, int] = {}
    if wish.refresh:
        names = with_dependents(names, list(SEEDERS))
        await check_nothing_foreign(connection, names)
    password = await _password(connection, names, wish)
    run = Run(
        connection=connection,
        now=datetime.now(UTC),
        users=users,
        password_hash=_hashed(password or wish.password),
        progress=progress,
    )
    async with AsyncExitStack() as stack:
        wanted = users if "users" in names else 0
        if (max(wanted, there) if wish.refresh else wanted - there) >= BULK:
            await stack.enter_async_context(without_triggers(connection))
        if wish.refresh:
            for name in reversed(names):
                if remove := SEEDERS[name].remove:
                    removed[name] = await remove(run)
        added = {name: await SEEDERS[name].add(run) for name in names}
        await _note(connection, added, removed)
    return Outcome(
        added=added,
        removed=removed,
        told=run.told,
        password=password if added.get("people") else None,
    )


async def _password(connection: Any, names: Sequence[str], wish: Wish) -> str | None:
    """Return a password made for people who need one and were given none."""
    if wish.password or "people" not in names:
        return None
    needed = wish.refresh or await people.missing(connection)
    return new_password() if needed else None


def _hashed(password: str) -> str | None:
    if not password:
        return None
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    return hasher.hash(unicodedata.normalize("NFC", password))


async def _note(connection: Any, added: Mapping[str, int], removed: Mapping[str, int]) -> None:
    audit = AuditInbox(connection, SYSTEM)
    facts: dict[str, Any] = {
        name: count for name, count in added.items() if count and name != "essentials"
    }
    facts |= {f"removed_{name}": count for name, count in removed.items() if count}
    if facts:
        await audit.note("user.seeded", **facts)
    if count := added.get("essentials"):
        await audit.note("role.restored", rows=count)


@asynccontextmanager
async def _owner(settings: Settings) -> AsyncIterator[Any]:
    url = settings.migration_database_url or settings.database_url
    about = {"application_name": "ostiary seed", "timezone": "UTC"}
    try:
        connection = await asyncpg.connect(url, timeout=5, server_settings=about)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        raise DatabaseAway(f"PostgreSQL: {error}") from error
    try:
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
        )
        rows = await Migrator(connection, read()).status()
        if not all(row.applied_at for row in rows):
            raise NotMigrated
        yield connection
    finally:
        await connection.close()
