"""Keeps the hasher's knowledge of how people's passwords were hashed.

A failed sign-in does the work of every scheme that anybody's password has, so that its time does
not tell whose it was; imports bring new schemes, and upgrades at sign-in end old ones.
"""

import asyncio
from contextlib import suppress
from typing import NoReturn

from api.passwords.hasher import Hasher
from ops.errors import Unavailable
from storage.database import Database

_SECONDS = 30.0


async def watch_schemes(hasher: Hasher, database: Database) -> NoReturn:
    """Look every 30 seconds which schemes are in force."""
    while True:
        with suppress(Unavailable):
            async with database.reading() as storage:
                schemes = await storage.users.password_schemes()
            hasher.schemes_in_force(schemes)
        await asyncio.sleep(_SECONDS)
