"""A database of a test module's own, beside the session's: its signing keys may come and go."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from ops.metrics import Metrics
from ops.settings import Settings
from storage.database import Database
from tests.conftest import _DELETE_ALL, MakeSettings
from tests.furniture import TEMPLATE

_NAMES = ("database_url", "worker_database_url", "migration_database_url")


@dataclass(slots=True)
class OwnDatabase:
    """The settings that lead to it, and a connection of its owner."""

    name: str
    urls: dict[str, str]
    owner: Any
    superuser: Any

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """Let it be away for a while: it has another name."""
        elsewhere = f"{self.name}_elsewhere"
        await self.owner.close()
        await self._rename(self.name, elsewhere)
        try:
            yield
        finally:
            await self._rename(elsewhere, self.name)
            self.owner = await asyncpg.connect(self.urls["migration_database_url"])

    async def _rename(self, name: str, other: str) -> None:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
        await self.superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await self.superuser.fetch(end, name)
        await self.superuser.execute(f"ALTER DATABASE {name} RENAME TO {other}")
        await self.superuser.execute(f"ALTER DATABASE {other} ALLOW_CONNECTIONS true")

    async def empty(self) -> None:
        """Begin with empty tables, those of the signing keys too."""
        await self.owner.execute(await self.owner.fetchval(_DELETE_ALL))
        await self.owner.execute("DELETE FROM signing_keys")

    async def age(self, seconds: int, key_id: str | None = None) -> None:
        """Let so much time pass for one key, or for all."""
        await self.owner.execute(
            "UPDATE signing_keys SET signs_from = signs_from - make_interval(secs => $1),"
            " created_at = created_at - make_interval(secs => $1) WHERE $2::text IN (id, '')",
            seconds,
            key_id or "",
        )

    async def states(self) -> dict[str, str]:
        """Return the living keys and their algorithms, the oldest first."""
        rows = await self.owner.fetch(
            "SELECT id, algorithm FROM signing_keys WHERE retired_at IS NULL ORDER BY signs_from"
        )
        return {row["id"]: row["algorithm"] for row in rows}


@asynccontextmanager
async def own_database(
    home: Path, make_settings: MakeSettings, name: str
) -> AsyncIterator[OwnDatabase]:
    """Make a migrated database; drop it in the end."""
    settings = make_settings()
    password = json.loads((home / "passwords.json").read_text())["postgres"]
    superuser = await asyncpg.connect(
        settings.migration_database_url, user="postgres", password=password, database="postgres"
    )
    await superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await superuser.execute(f"CREATE DATABASE {name} OWNER ostiary_owner TEMPLATE {TEMPLATE}")
    urls = {item: _elsewhere(settings, item, name) for item in _NAMES}
    owner = await asyncpg.connect(urls["migration_database_url"])
    made = OwnDatabase(name, urls, owner, superuser)
    yield made
    await made.owner.close()
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()


@asynccontextmanager
async def opened(room: OwnDatabase, make_settings: MakeSettings) -> AsyncIterator[Database]:
    """Open it as a process does, without any key."""
    await room.empty()
    settings = make_settings(**room.urls)
    database = await Database.open(
        settings.database_url, keys=settings.keyring, metrics=Metrics(), name="keys"
    )
    yield database
    await database.close()


def _elsewhere(settings: Settings, item: str, name: str) -> str:
    return str(getattr(settings, item)).replace("@/ostiary?", f"@/{name}?")
