"""Failed sign-ins per account: counted before the password is looked at, given back when right.

Accounts are blind indexes of what was typed, so unknown addresses count like known ones. After
some failures the account opens again after 1, 2, 4 ... 60 seconds, never longer: nobody can lock an
owner out for good (docs/auth.md).
"""

from dataclasses import dataclass
from typing import Any

LONGEST_WAIT = 60

# The row lock makes parallel guesses queue up here; the failure that reaches the limit closes the
# account before the next one looks. A count that nobody added to for a window begins anew.
RESERVE = """
INSERT INTO sign_in_failures AS known (account, failures, open_at)
VALUES ($1, 1, CASE WHEN $2 <= 1 THEN clock_timestamp() + interval '1 second'
    ELSE '-infinity' END)
ON CONFLICT (account) DO UPDATE SET
    failures = CASE WHEN known.updated_at < now() - make_interval(secs => $3) THEN 1
        ELSE known.failures + 1 END,
    open_at = CASE
        WHEN known.updated_at < now() - make_interval(secs => $3) OR known.failures + 1 < $2
            THEN '-infinity'
        ELSE clock_timestamp()
            + make_interval(secs => least($4, 2 ^ least(known.failures + 1 - $2, 30)))
    END,
    updated_at = now()
WHERE known.open_at <= clock_timestamp()
RETURNING failures
"""

WAIT = """
SELECT greatest(ceil(extract(epoch FROM open_at - now())), 1)::integer FROM sign_in_failures
WHERE account = $1
"""

REFUND = """
UPDATE sign_in_failures SET failures = failures - 1, open_at = '-infinity', updated_at = now()
WHERE account = $1 AND failures > 0
"""

FORGIVE = "DELETE FROM sign_in_failures WHERE account = $1"

PURGE = """
DELETE FROM sign_in_failures WHERE account IN (
    SELECT account FROM sign_in_failures
    WHERE updated_at < now() - make_interval(secs => $1) LIMIT $2
)
"""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Whether an attempt may be made; seconds to wait otherwise."""

    allowed: bool
    wait: int = 0


class Attempts:
    """Failures of accounts."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def reserve(self, account: bytes, *, limit: int, seconds: int) -> Reserved:
        """Count a failure in advance, unless the account is closed just now."""
        found = await self._connection.fetchval(
            RESERVE, account, limit, seconds, float(LONGEST_WAIT)
        )
        if found is not None:
            return Reserved(allowed=True)
        wait = await self._connection.fetchval(WAIT, account)
        return Reserved(allowed=False, wait=wait or 1)

    async def refund(self, account: bytes) -> None:
        """Give a reserved failure back."""
        await self._connection.execute(REFUND, account)

    async def forgive(self, account: bytes) -> None:
        """Forget every failure at an account."""
        await self._connection.execute(FORGIVE, account)

    async def purge(self, *, seconds: int, limit: int) -> int:
        """Forget accounts nobody failed at for so long; return how many."""
        return int((await self._connection.execute(PURGE, seconds, limit)).split()[-1])
