"""People: what is written only while what it rests on still holds."""

from typing import Any

import aiohttp

from tests.factories import register


async def test_a_better_hash_never_undoes_a_password_that_was_changed_meanwhile(
    api: aiohttp.ClientSession, parts: Any, owner: Any
) -> None:
    await register(api)
    user_id = await owner.fetchval("SELECT id FROM users")
    stored = await owner.fetchval("SELECT password_hash FROM users")

    async with parts.database.reading() as storage:
        await storage.users.rehash(user_id, old="$argon2id$v=19$m=64,t=1,p=1$old$old", new="late")

    assert await owner.fetchval("SELECT password_hash FROM users") == stored
