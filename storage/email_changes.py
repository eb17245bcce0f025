"""Changes of e-mail address: wished for, confirmed on the new address, undone from the old one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.tokens import MAX_WRONG_CODES, Guess

# How long a change can be confirmed, and then be undone.
CONFIRM_SECONDS = 24 * 3_600
UNDO_SECONDS = 72 * 3_600

ADD = """
INSERT INTO email_changes (id, user_id, old_email, new_email, credential_version, expires_at)
SELECT $1, id, email, $3, credential_version, now() + make_interval(secs => $4) FROM users
WHERE id = $2 AND credential_version = $5 AND deleted_at IS NULL
RETURNING true
"""

# Nobody has to confirm what an administrator does, and the old address gets no way back: it may be
# a stranger's, or a thief's.
ADD_DONE = """
INSERT INTO email_changes (id, user_id, old_email, new_email, credential_version, expires_at,
    spent_at, confirmed_at)
VALUES ($1, $2, $3, $4, $5, now(), now(), now())
"""

CLOSE_WAYS_BACK = """
UPDATE email_changes SET undo_expires_at = now(), updated_at = now()
WHERE user_id = $1 AND undo_expires_at > now()
"""

# What was confirmed can still be undone; only open wishes end.
RETIRE_OPEN = """
UPDATE email_changes SET spent_at = now(), updated_at = now()
WHERE user_id = $1 AND spent_at IS NULL
"""

_GOOD = """
    changes.spent_at IS NULL AND changes.expires_at > now() AND users.id = changes.user_id
    AND users.credential_version = changes.credential_version AND users.email = changes.old_email
    AND users.is_active AND users.deleted_at IS NULL
"""

# Only our own condition is put in, here and below.
BY_ID = f"""
SELECT changes.id, changes.user_id, changes.old_email, changes.new_email
FROM email_changes AS changes, users WHERE changes.id = $1 AND {_GOOD}
"""  # noqa: S608

BY_TOKEN = f"""
SELECT changes.id, changes.user_id, changes.old_email, changes.new_email
FROM email_changes AS changes, users WHERE changes.token_mac = ANY($1::bytea[]) AND {_GOOD}
"""  # noqa: S608

OFFER = """
UPDATE email_changes SET token_mac = $2, code_mac = $3,
    expires_at = now() + make_interval(secs => $4), updated_at = now()
WHERE id = $1 AND spent_at IS NULL
"""

# The guess is counted before it is looked at, so that parallel guesses cannot exceed the limit.
# Several people can wish for one address: the newest letter is the one that is read.
COUNT_GUESS = """
UPDATE email_changes SET wrong_codes = wrong_codes + 1, updated_at = now()
WHERE id = (
    SELECT id FROM email_changes
    WHERE new_email = $1 AND code_mac IS NOT NULL AND spent_at IS NULL AND expires_at > now()
    ORDER BY id DESC LIMIT 1
) AND wrong_codes < $2 AND spent_at IS NULL
RETURNING id, code_mac
"""

UNCOUNT_GUESS = """
UPDATE email_changes SET wrong_codes = wrong_codes - 1, updated_at = now()
WHERE id = $1 AND wrong_codes > 0
"""

# An address that nobody had proved gets no way back: its reader may be a stranger to the account.
CONFIRM = f"""
UPDATE email_changes AS changes SET spent_at = now(), confirmed_at = now(), updated_at = now(),
    undo_expires_at = CASE WHEN users.email_verified THEN now() + make_interval(secs => $2) END
FROM users WHERE changes.id = $1 AND {_GOOD}
RETURNING true
"""  # noqa: S608

CONFIRMED = """
SELECT id, user_id, old_email, new_email,
    undone_at IS NULL AND coalesce(undo_expires_at > now(), false) AS can_be_undone
FROM email_changes WHERE id = $1 AND confirmed_at IS NOT NULL
"""

OFFER_UNDO = "UPDATE email_changes SET undo_mac = $2, updated_at = now() WHERE id = $1"

BY_UNDO = """
SELECT id, user_id, old_email, new_email FROM email_changes
WHERE undo_mac = ANY($1::bytea[]) AND undone_at IS NULL AND undo_expires_at > now()
"""

UNDO = """
UPDATE email_changes SET undone_at = now(), updated_at = now()
WHERE id = $1 AND undone_at IS NULL AND undo_expires_at > now()
RETURNING true
"""

# Whoever took the account over may have gone on to another address: that way back must not be
# theirs.
UNDO_LATER = """
UPDATE email_changes SET undone_at = now(), updated_at = now()
WHERE user_id = $1 AND id > $2 AND confirmed_at IS NOT NULL AND undone_at IS NULL
"""

PURGE = """
DELETE FROM email_changes WHERE id IN (
    SELECT id FROM email_changes
    WHERE expires_at < now() - make_interval(days => $1)
      AND coalesce(undo_expires_at < now() - make_interval(days => $1), true)
    LIMIT $2
)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """From which address to which one a person wants to change, or has changed."""

    id: UUID
    user_id: UUID
    old_email: str
    new_email: str


class EmailChanges:
    """Changes of address, their tokens and codes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(self, user_id: UUID, *, new_email: str, credential_version: int) -> UUID | None:
        """Keep the wish of a person, return its id; older wishes end.

        None when the credential is another one than that which was looked at.
        """
        await self._connection.execute(RETIRE_OPEN, user_id)
        change_id = new_id()
        added = await self._connection.fetchval(
            ADD, change_id, user_id, new_email, CONFIRM_SECONDS, credential_version
        )
        return change_id if added else None

    async def add_done(
        self, user_id: UUID, *, old_email: str, new_email: str, credential_version: int
    ) -> UUID:
        """Keep a change that an administrator made, return its id; none can be undone any more."""
        await self._connection.execute(CLOSE_WAYS_BACK, user_id)
        change_id = new_id()
        await self._connection.execute(
            ADD_DONE, change_id, user_id, old_email, new_email, credential_version
        )
        return change_id

    async def by_id(self, change_id: UUID) -> Change | None:
        """Return a change that can be confirmed; None when it ended or its person did."""
        row = await self._connection.fetchrow(BY_ID, change_id)
        return Change(*row.values()) if row else None

    async def offer(self, change_id: UUID, *, token_mac: bytes, code_mac: bytes) -> None:
        """Keep the digests of the letter's token and code."""
        await self._connection.execute(OFFER, change_id, token_mac, code_mac, CONFIRM_SECONDS)

    async def by_token(self, token_macs: Sequence[bytes]) -> Change | None:
        """Return the change a token confirms; None when it is unknown, spent or too old."""
        row = await self._connection.fetchrow(BY_TOKEN, list(token_macs))
        return Change(*row.values()) if row else None

    async def count_guess(self, new_email: str) -> Guess | None:
        """Count a guess at the code sent to an address; None when there is nothing to guess."""
        row = await self._connection.fetchrow(COUNT_GUESS, new_email, MAX_WRONG_CODES)
        return Guess(*row.values()) if row else None

    async def uncount_guess(self, change_id: UUID) -> None:
        """Give a guess back that was right."""
        await self._connection.execute(UNCOUNT_GUESS, change_id)

    async def confirm(self, change_id: UUID) -> bool:
        """Spend a change; False when somebody was faster or the credential changed."""
        return bool(await self._connection.fetchval(CONFIRM, change_id, UNDO_SECONDS))

    async def confirmed(self, change_id: UUID) -> tuple[Change, bool] | None:
        """Return a confirmed change and whether it can be undone; None for any other."""
        row = await self._connection.fetchrow(CONFIRMED, change_id)
        if row is None:
            return None
        *facts, can_be_undone = row.values()
        return Change(*facts), can_be_undone

    async def offer_undo(self, change_id: UUID, undo_mac: bytes) -> None:
        """Keep the digest of the way back."""
        await self._connection.execute(OFFER_UNDO, change_id, undo_mac)

    async def by_undo(self, undo_macs: Sequence[bytes]) -> Change | None:
        """Return the change a token undoes; None when it is unknown, used or too old."""
        row = await self._connection.fetchrow(BY_UNDO, list(undo_macs))
        return Change(*row.values()) if row else None

    async def undo(self, change: Change) -> bool:
        """Note that a change was undone, and every later one with it; False when it was before."""
        undone = await self._connection.fetchval(UNDO, change.id)
        if undone:
            await self._connection.execute(UNDO_LATER, change.user_id, change.id)
        return bool(undone)

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete changes whose last token expired more than `days` ago; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
