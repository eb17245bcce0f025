"""A worker without processes: does what was promised, hands out the letters it wrote."""

import email
import re
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import workers.emails
import workers.passwords  # noqa: F401 - their actors register themselves
from ops.ids import new_id
from workers.actor import WORKS
from workers.toolbox import Tools


class Mailroom:
    """Does the promised letters of a test, in the order of their promises."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        self._tools = tools
        self._folder = folder / "mail"

    async def deliver(self) -> list[EmailMessage]:
        """Do every promise that waits; return the letters nobody was handed yet, oldest first."""
        async with self._tools.database.reading() as storage:
            due = await storage.outbox.claim_due(1_000)
        for promise in due:
            await self.do(promise.id)
        return self.letters()

    def letters(self) -> list[EmailMessage]:
        """Take out the letters that were written, oldest first."""
        return [self._taken(path) for path in sorted(self._folder.glob("*.eml"))]

    @staticmethod
    def _taken(path: Path) -> EmailMessage:
        letter = email.message_from_bytes(path.read_bytes(), policy=default)
        path.unlink()  # whatever is written once more is seen once more
        return cast("EmailMessage", letter)

    async def do(self, promise_id: UUID) -> None:
        """Do one promise as a worker does."""
        async with self._tools.database.reading() as storage:
            [promise] = await storage.outbox.claim_runs([(promise_id, new_id())], lease=15)
        kind, work = WORKS[promise.name]
        await work(kind.from_body(promise.body), promise, self._tools)
        async with self._tools.database.reading() as storage:
            assert await storage.outbox.settle_all([promise]) == {promise_id}

    async def one(self, template: str) -> EmailMessage:
        """Deliver; return the one new letter of a kind."""
        found = [item for item in await self.deliver() if kind_of(item) == template]
        assert len(found) == 1, found
        return found[0]


def kind_of(letter: EmailMessage) -> str:
    """Return which template a letter was made of."""
    return str(letter["X-Ostiary-Template"])


def to_of(letter: EmailMessage) -> str:
    """Return the address of a letter."""
    return str(letter["To"].addresses[0].addr_spec)


def text_of(letter: EmailMessage, kind: str = "plain") -> str:
    """Return one of the two bodies."""
    part = letter.get_body((kind,))
    assert part
    return str(part.get_content())


def token_of(letter: EmailMessage) -> str:
    """Return the token of a letter's link."""
    found = re.search(r"\?token=([\w-]+)", text_of(letter))
    assert found
    return found[1]


def code_of(letter: EmailMessage) -> str:
    """Return the code of a letter."""
    found = re.search(r": (\d{6})\b", text_of(letter))
    assert found
    return found[1]


def other_code(code: str) -> str:
    """Return a code that is wrong."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def everything_kept(owner: Any, redis: Any) -> str:
    """Return all rows of all tables and all of Redis as one text."""
    kept = []
    for (table,) in await owner.fetch("SELECT relname FROM pg_stat_user_tables"):
        kept += [row for (row,) in await owner.fetch(f'SELECT t::text FROM "{table}" t')]  # noqa: S608
    for key in await redis.keys("*"):
        kept += [repr(key), repr(await redis.dump(key))]
    return "\n".join(kept)
