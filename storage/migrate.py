"""Applies and rolls back the SQL files a database has not seen.

One runner at a time (advisory lock), one transaction a file unless the direction says
`-- migrate:up transaction:false`, checksums kept, so that a changed file is noticed. Outside a
transaction statements run one by one; each ends with a semicolon at the end of its line.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from ops.errors import Kind, Unavailable
from ops.settings import Settings
from storage.database import Database, DatabaseAway
from storage.grants import grant

FOLDER = Path(__file__).parent / "migrations"

_NAME = re.compile(r"(\d{14})_([a-z0-9_]+)\.sql")
_PARTS = re.compile(
    r"\A\s*-- migrate:up(?P<up_options>[^\n]*)\n(?P<up>.*?)"
    r"^-- migrate:down(?P<down_options>[^\n]*)\n(?P<down>.*)\Z",
    re.DOTALL | re.MULTILINE,
)

_STATEMENT_END = re.compile(r";[ \t]*(?:--[^\n]*)?(?:\n|\Z)")

LOCK = "SELECT pg_advisory_lock(4827160090)"

# Column names as dbmate has them, so that either tool can read the other's table.
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    checksum text NOT NULL DEFAULT '',
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

TABLE_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"

APPLIED = "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version"
REMEMBER = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
FORGET = "DELETE FROM schema_migrations WHERE version = $1"

DROP_ALL = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


class MigrationError(Exception):
    """The files and the database do not fit together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its version (a time stamp), name, both directions and the checksum of the text."""

    version: str
    name: str
    up: str
    down: str
    up_in_transaction: bool
    down_in_transaction: bool
    checksum: str


@dataclass(frozen=True, slots=True)
class Status:
    """One migration, when it was applied if it was, and whether its file was changed since."""

    version: str
    name: str
    applied_at: datetime | None
    changed: bool = False


def read(folder: Path = FOLDER) -> list[Migration]:
    """Read the files in order; MigrationError for a bad name, bad parts or a double version."""
    found = [_read_file(path) for path in sorted(folder.glob("*.sql"))]
    versions = [item.version for item in found]
    for version in versions:
        if versions.count(version) > 1:
            raise MigrationError(f"two migrations have version {version}; rename one")
    return found


def _read_file(path: Path) -> Migration:
    name = _NAME.fullmatch(path.name)
    text = path.read_text(encoding="utf-8")
    parts = _PARTS.match(text)
    if not name or not parts:
        raise MigrationError(
            f"{path.name}: want YYYYMMDDHHMMSS_what.sql with -- migrate:up and -- migrate:down"
        )
    return Migration(
        version=name[1],
        name=name[2],
        up=parts["up"],
        down=parts["down"],
        up_in_transaction="transaction:false" not in parts["up_options"],
        down_in_transaction="transaction:false" not in parts["down_options"],
        checksum=sha256(text.encode()).hexdigest(),
    )


def create(name: str, folder: Path = FOLDER) -> Path:
    """Write an empty migration of this name and return its path; raise MigrationError."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug:
        raise MigrationError("name the migration, such as: create add_locale_to_users")
    path = folder / f"{datetime.now(UTC):%Y%m%d%H%M%S}_{slug}.sql"
    path.write_text("-- migrate:up\n\n-- migrate:down\n", encoding="utf-8")
    return path


class NotMigrated(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """The database lacks migrations of this release. Run: python -m storage migrate"""  # noqa: D400


async def check_migrated(database: Database) -> str:
    """Return the version the database is at; raise NotMigrated when this release needs a newer."""
    newest = max(item.version for item in read())
    async with database.reading() as storage:
        applied = await storage.newest_migration()
    if applied < newest:
        raise NotMigrated(
            f"the database is at migration {applied or 'none'}, this release needs {newest};"
            " run python -m storage migrate"
        )
    return applied


class Migrator:
    """Brings one database forward or back."""

    def __init__(self, connection: Any, migrations: Sequence[Migration]) -> None:
        self._connection = connection
        self._migrations = migrations

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: Settings, migrations: Sequence[Migration] | None = None
    ) -> AsyncIterator["Migrator"]:
        """Connect as the owner of the database; raise DatabaseAway when it does not answer."""
        url = settings.migration_database_url or settings.database_url
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
            raise DatabaseAway(f"PostgreSQL: {error}") from error
        try:
            yield cls(connection, read() if migrations is None else migrations)
        finally:
            await connection.close()

    async def up(self) -> list[Migration]:
        """Apply what is missing, in order; return what was applied."""
        applied = await self._locked()
        todo = [item for item in self._migrations if item.version not in applied]
        newest = max(applied, default="")
        if late := [item.version for item in todo if item.version < newest]:
            raise MigrationError(
                f"{', '.join(late)} is older than {newest}, which is applied already;"
                " give it a newer time stamp"
            )
        for item in todo:
            note = (REMEMBER, item.version, item.name, item.checksum)
            await self._run(item, item.up, note, whole=item.up_in_transaction)
        return todo

    async def down(self, steps: int = 1) -> list[Migration]:
        """Roll the last `steps` migrations back; return what was rolled back."""
        if steps < 1:
            raise MigrationError("roll back 1 migration or more: --steps 1")
        applied = await self._locked()
        known = {item.version: item for item in self._migrations}
        undone = [known[version] for version in sorted(applied, reverse=True)[:steps]]
        for item in undone:
            note = (FORGET, item.version)
            await self._run(item, item.down, note, whole=item.down_in_transaction)
        return undone

    async def reset(self) -> None:
        """Drop everything and begin anew. The caller has asked whether that is meant."""
        await self._connection.execute(LOCK)
        await self._connection.execute(DROP_ALL)
        await self.up()

    async def status(self) -> list[Status]:
        """List every migration and when it was applied; only looks, so any role may ask."""
        exists = await self._connection.fetchval(TABLE_EXISTS)
        rows = await self._connection.fetch(APPLIED) if exists else []
        applied = {row["version"]: row for row in rows}
        return [_status(item, applied.get(item.version)) for item in self._migrations]

    async def grant(self, settings: Settings) -> None:
        """Give the API's and the workers' roles their rights, if they are roles of their own."""
        owner = await self._connection.fetchval("SELECT current_user")
        api, worker = _user(settings.database_url), _user(settings.worker_database_url)
        await grant(self._connection, owner=owner, api=api, worker=worker or api)

    async def _locked(self) -> dict[str, str]:
        await self._connection.execute(LOCK)
        await self._connection.execute(CREATE_TABLE)
        rows = await self._connection.fetch(APPLIED)
        applied = {row["version"]: row["checksum"] for row in rows}
        known = {item.version: item for item in self._migrations}
        for version, checksum in applied.items():
            if version not in known:
                raise MigrationError(
                    f"the database has migration {version}, this release does not;"
                    " run a release that has it, or roll back with that one first"
                )
            if checksum and checksum != known[version].checksum:
                raise MigrationError(
                    f"{version}_{known[version].name}.sql was changed after it was applied;"
                    " restore it and write a new migration instead"
                )
        return applied

    async def _run(self, item: Migration, sql: str, note: tuple[str, ...], *, whole: bool) -> None:
        try:
            if whole:
                async with self._connection.transaction():
                    await self._connection.execute(sql)
                    await self._connection.execute(*note)
                return
            # Several statements in one message would be a transaction after all.
            for statement in filter(str.strip, _STATEMENT_END.split(sql)):
                await self._connection.execute(statement)
            await self._connection.execute(*note)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{item.version}_{item.name}.sql: {error}") from error


def _status(item: Migration, row: Any) -> Status:
    if row is None:
        return Status(item.version, item.name, None)
    changed = row["checksum"] not in {"", item.checksum}
    return Status(item.version, item.name, row["applied_at"], changed=changed)


def _user(url: str) -> str:
    return unquote(urlsplit(url).username or "")
