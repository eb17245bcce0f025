"""What tests of passwords and addresses do over and over: call, register, sign in, change."""

from typing import Any

import aiohttp

from tests.factories import PASSWORD, bearer, register
from tests.mailroom import Mailroom, token_of

AUTH = "/api/v1/auth"
NEW = "Fresh-Giraffe-7"
MOVED = "moved@example.com"


async def post(
    api: aiohttp.ClientSession,
    path: str,
    who: dict[str, Any] | None = None,
    *,
    headers: dict[str, str] | None = None,
    **body: Any,
) -> tuple[int, Any]:
    """Call an endpoint under /auth, signed in or not; return status and body."""
    headers = (headers or {}) | (bearer(who) if who else {})
    async with api.post(f"{AUTH}/{path}", json=body, headers=headers) as answer:
        told = await answer.json()
        assert (answer.status in {429, 503}) == ("Retry-After" in answer.headers)
        return answer.status, told


def via(number: int) -> dict[str, str]:
    """Return the header of a caller at another address, for servers that trust 127.0.0.1."""
    return {"X-Forwarded-For": f"203.0.{number // 250}.{number % 250}"}


async def login(api: aiohttp.ClientSession, email: str, password: str = PASSWORD) -> int:
    """Try to sign in; return the status."""
    status, _ = await post(api, "login", email=email, password=password)
    return status


async def somebody(api: aiohttp.ClientSession, mailroom: Mailroom) -> tuple[dict[str, Any], str]:
    """Register somebody whose welcome letter is out of the way; return them and their address."""
    signed_in = await register(api)
    await mailroom.deliver()
    return signed_in, signed_in["user"]["email"]


async def proved(api: aiohttp.ClientSession, mailroom: Mailroom, **facts: str) -> dict[str, Any]:
    """Register somebody who proves their address."""
    signed_in = await register(api, **facts)
    await post(api, "verify-email", token=token_of(await mailroom.one("welcome")))
    return signed_in


async def wish(
    api: aiohttp.ClientSession, who: dict[str, Any], address: str = MOVED, password: str = PASSWORD
) -> tuple[int, Any]:
    """Ask for another address."""
    return await post(api, "change-email", who, newEmail=address, currentPassword=password)


async def moved(api: aiohttp.ClientSession, mailroom: Mailroom, who: dict[str, Any]) -> str:
    """Change somebody's address; return the token of the way back."""
    await wish(api, who)
    await post(api, "confirm-email", token=token_of(await mailroom.one("confirm_change")))
    return token_of(await mailroom.one("email_changed"))


async def address_of(owner: Any) -> tuple[str, bool]:
    """Return the address of the only living person, and whether it is proved."""
    row = await owner.fetchrow("SELECT email, email_verified FROM users WHERE deleted_at IS NULL")
    return row["email"], row["email_verified"]


def guessed_out(statuses: list[int]) -> bool:
    """Say whether a flood of guesses was looked at five times, or a few more on a slow machine.

    After five the account opens again for one guess at a time, a second later, then two.
    """
    looked_at = statuses.count(400)
    refused = statuses.count(429) + statuses.count(503)  # a busy machine had no time to look
    return 5 <= looked_at <= 8 and refused == len(statuses) - looked_at
