"""People: what is written only while what it rests on still holds."""

from typing import Any

import aiohttp

from tests.factories import register

# One of every kind.
_EVERY_KIND = """
INSERT INTO users (id, email, first_name, last_name, is_active, email_verified, deleted_at)
SELECT gen_random_uuid(), concat_ws('.', active, verified, gone, 'person') || '@example.com',
    'Ada', 'Lovelace', active, verified, CASE WHEN gone THEN now() END
FROM (VALUES (true), (false)) AS a (active), (VALUES (true), (false)) AS v (verified),
    (VALUES (true), (false)) AS d (gone)
"""


async def test_a_better_hash_never_undoes_a_password_that_was_changed_meanwhile(
    api: aiohttp.ClientSession, parts: Any, owner: Any
) -> None:
    await register(api)
    user_id = await owner.fetchval("SELECT id FROM users")
    stored = await owner.fetchval("SELECT password_hash FROM users")

    async with parts.database.reading() as storage:
        await storage.users.rehash(user_id, old="$argon2id$v=19$m=64,t=1,p=1$old$old", new="late")

    assert await owner.fetchval("SELECT password_hash FROM users") == stored


async def test_a_credential_that_was_read_before_a_deletion_is_worthless_after_it_is_taken_back(
    api: aiohttp.ClientSession, parts: Any, owner: Any
) -> None:
    ada = await register(api)
    async with parts.database.reading() as storage:
        credential = await storage.users.credential(ada["user"]["email"])

    async with parts.database.transaction() as storage:
        await storage.users.remove(credential.user_id)
        await storage.users.restore(credential.user_id)
    async with parts.database.reading() as storage:
        signed_in = await storage.users.logged_in(credential.user_id, credential.version)

    assert not signed_in


async def test_everybody_is_counted_in_one_state(parts: Any, clean: None, owner: Any) -> None:
    await owner.execute(_EVERY_KIND)

    async with parts.database.reading() as storage:
        states = await storage.users.states()

    assert states == {"verified": 1, "unverified": 1, "suspended": 2, "deleted": 4}
