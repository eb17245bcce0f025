"""What a web process does beside answering: it keeps what it remembers true.

Sessions and rights (`api/auth/presence.py`), signing keys (`api/auth/signing.py`), and how people's
passwords were hashed (`api/passwords/watch.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web

from api.auth.identity import Identity
from api.auth.presence import Presence
from api.auth.signing import SigningRing
from api.parts import Parts
from api.passwords.watch import watch_schemes
from ops.errors import Unavailable


def watching(
    parts: Parts, *, presence: Presence, identity: Identity, ring: SigningRing
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return the clean-up context that keeps what this process remembers true while it answers."""

    async def everything_revoked() -> None:
        await ring.load()
        identity.forget()  # afterwards: a token verified meanwhile may be of a lost key

    async def tell() -> None:
        with suppress(Unavailable):
            await presence.read_own()
        await parts.redis.tell_revoked()

    async def watch(_: web.Application) -> AsyncIterator[None]:
        presence.on_everything(everything_revoked)
        parts.database.tell_revoked_with(tell)
        work = (
            presence.watch(),
            parts.redis.hear_revoked(presence.ring),
            ring.watch(),
            watch_schemes(parts.hasher, parts.database),
        )
        tasks = [asyncio.create_task(item) for item in work]
        yield
        parts.database.tell_revoked_no_more(tell)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    return watch
