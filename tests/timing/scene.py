"""Sets the scene of a question: its people in the database, then whoever asks."""

from itertools import count
from typing import Any

import aiohttp

from tests.factories import PASSWORD, bearer, register
from tests.timing.accounts import NOBODY, Account, add_accounts, address_of, copy_device
from tests.timing.questions import Question
from tests.timing.stopwatch import AUTH, Asker

# Guesses are counted as in production, and never so many that they are refused.
SETTINGS = {
    "rate_limit_anonymous": "off",
    "rate_limit_authenticated": "off",
    "rate_limit_auth_failures": "1000000/15m",
}
# As production plans its queries: autovacuum may not have looked yet.
_ANALYZE = "ANALYZE users, password_reset_tokens, email_verification_tokens, devices"


async def people(
    owner: Any, question: Question, *, each: int, own_hash: str, bcrypt_cost: int
) -> None:
    """Put the people of a question into the database.

    To be done before the server starts, which looks then which kinds of hashes there are.
    """
    for account in question.classes:
        if account not in NOBODY:
            await add_accounts(
                owner, account, count=each, own_hash=own_hash, bcrypt_cost=bcrypt_cost
            )
    await owner.execute(_ANALYZE)


async def asker(
    client: aiohttp.ClientSession, owner: Any, question: Question, *, each: int
) -> Asker:
    """Return who asks, signed in if need be, and known where KNOWN_PLACE says so."""
    headers = bearer(await register(client)) if question.signed_in else {}
    if Account.KNOWN_PLACE in question.classes:
        await _sign_in(client, address_of(Account.KNOWN_PLACE, 0))
        await copy_device(owner, count=each)
        await owner.execute(_ANALYZE)
    return Asker(client=client, question=question, headers=headers, numbers=count())


async def _sign_in(client: aiohttp.ClientSession, address: str) -> None:
    given = {"email": address, "password": PASSWORD}
    async with client.post(f"{AUTH}/login", json=given) as answer:
        assert answer.status == 200, await answer.text()
