"""People of a list: added straight to the table, asked for through the repository."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.database import Database
from storage.pages import Page, Window
from storage.users import User
from tests.own_database import OwnDatabase

_ADD = """
INSERT INTO users (id, email, first_name, last_name, is_active, email_verified, plan,
    last_login_at, created_at, updated_at, deleted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)
"""
THEN = datetime(2026, 1, 1, tzinfo=UTC)


async def add(room: OwnDatabase, count: int = 1, **facts: Any) -> list[UUID]:
    """Add people of these facts, half of them at the same moment; return their ids."""
    ids = [new_id() for _ in range(count)]
    for number, user_id in enumerate(ids):
        await room.owner.execute(
            _ADD,
            user_id,
            facts.get("email", f"person.{user_id}@example.com"),
            facts.get("first_name", ("Ada", "ada", "Bob", "Émile")[number % 4]),
            facts.get("last_name", ("Lovelace", "Byron")[number % 2]),
            facts.get("is_active", True),
            facts.get("email_verified", False),
            facts.get("plan", "free"),
            facts.get("last_login_at", None if number % 3 else THEN),
            facts.get("created_at", THEN + timedelta(seconds=number // 2)),
            facts.get("deleted_at"),
        )
    return ids


async def page(database: Database, **asked: Any) -> Page[User]:
    """Ask for a part of the list."""
    async with database.transaction() as storage:
        return await storage.users.page(Window(**asked))
