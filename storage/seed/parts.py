"""What seeders are made of: a run of them, and the error that says what to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class SeedError(Exception):
    """Nothing was seeded; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of seeders: all in one transaction of the database's owner."""

    connection: Any
    # The time all of it is made at.
    now: datetime
    # Made-up people wanted in the end.
    users: int
    # Hash of a password that every seeded person has; None: each seeder has its own way.
    password_hash: str | None
    # Called with what is being made, how many there are of it and how many there will be.
    progress: Callable[[str, int, int], None]
    # Sentences about what was done or left alone.
    told: list[str] = field(default_factory=list)

    def tell(self, sentence: str) -> None:
        """Keep a sentence for whoever runs this."""
        self.told.append(sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeder:
    """What one name of `python -m storage seed` does."""

    help: str
    # Adds what is missing; returns how many rows.
    add: Callable[[Run], Awaitable[int]]
    # Removes what it added once; returns how many rows. None: it is never removed.
    remove: Callable[[Run], Awaitable[int]] | None = None
