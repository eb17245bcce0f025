"""Housekeeping: what ended long ago goes, what is young or alive stays."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp

from storage.jobs import CleanUpSessions
from tests.factories import register
from tests.workers.conftest import Hold, Put
from workers.sessions import clean_up_sessions
from workers.toolbox import Tools

# How long what ended is kept.
_KEPT = {
    "devices": timedelta(days=180),
    "sessions": timedelta(days=30),
    "password_reset_tokens": timedelta(days=30),
    "email_verification_tokens": timedelta(days=30),
    "email_changes": timedelta(days=30),
    "sign_in_failures": timedelta(days=1),
}
# $1 is a key, $2 a person, $3 how long ago it ended.
_ROWS = {
    "devices": """
        INSERT INTO devices (id, user_id, site, agent_mac, last_seen_at)
        VALUES ($1, $2, 'x', '', now() - $3::interval)""",
    "sessions": """
        INSERT INTO sessions
            (id, user_id, key_id, amr, authenticated_at, absolute_expires_at, expires_at)
        VALUES ($1, $2, 'k1', '{}', now(), now(), now() - $3::interval)""",
    "password_reset_tokens": """
        INSERT INTO password_reset_tokens
            (id, user_id, email, credential_version, token_mac, code_mac, expires_at)
        VALUES ($1, $2, 'x', 1, uuid_send($1), '', now() - $3::interval)""",
    "email_verification_tokens": """
        INSERT INTO email_verification_tokens
            (id, user_id, email, token_mac, code_mac, expires_at)
        VALUES ($1, $2, 'x', uuid_send($1), '', now() - $3::interval)""",
    "email_changes": """
        INSERT INTO email_changes
            (id, user_id, old_email, new_email, credential_version, expires_at)
        VALUES ($1, $2, 'x', 'y', 1, now() - $3::interval)""",
    "sign_in_failures": """
        INSERT INTO sign_in_failures (account, failures, open_at, updated_at)
        VALUES (uuid_send($1), 1 + 0 * length($2::uuid::text), now(), now() - $3::interval)""",
    "revocations": """
        INSERT INTO revocations (id, user_id, created_at) VALUES ($1, $2, now() - $3::interval)""",
}


async def counts(owner: Any) -> dict[str, int]:
    return {table: await owner.fetchval(f"SELECT count(*) FROM {table}") for table in _ROWS}  # noqa: S608


async def test_what_ended_long_ago_is_deleted_and_nothing_else(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    who = await register(api)
    before = await counts(owner)
    for age in (timedelta(minutes=1), timedelta(days=365)):
        for statement in _ROWS.values():
            await owner.execute(statement, uuid4(), who["user"]["id"], age)

    promise = await hold(await put(CleanUpSessions(), handed_over=True))
    await clean_up_sessions(CleanUpSessions(), promise, tools)

    after = await counts(owner)
    # Ending rows by hand is told to web processes too, hence not fewer.
    assert after.pop("revocations") > before.pop("revocations")
    assert after == {table: count + 1 for table, count in before.items()}
    old = "SELECT count(*) FROM revocations WHERE created_at < now() - interval '1 hour'"
    assert await owner.fetchval(old) == 0


async def cleaned_up(tools: Tools, put: Put, hold: Hold) -> None:
    promise = await hold(await put(CleanUpSessions(), handed_over=True))
    await clean_up_sessions(CleanUpSessions(), promise, tools)


async def test_nothing_goes_before_its_day_and_nothing_stays_longer(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    who = await register(api)
    for table, kept in _KEPT.items():
        await owner.execute(f"DELETE FROM {table}")  # noqa: S608
        for age in (kept - timedelta(minutes=1), kept + timedelta(minutes=1)):
            await owner.execute(_ROWS[table], uuid4(), who["user"]["id"], age)

    await cleaned_up(tools, put, hold)

    found = await counts(owner)
    assert {table: found[table] for table in _KEPT} == dict.fromkeys(_KEPT, 1)


async def test_a_session_that_was_ended_goes_30_days_later_although_it_could_have_gone_on(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    who = await register(api)
    for age in (timedelta(days=29), timedelta(days=31)):
        await owner.execute(_ROWS["sessions"], uuid4(), who["user"]["id"], -timedelta(days=1))
        await owner.execute(
            "UPDATE sessions SET ended_at = now() - $1::interval"
            " WHERE ended_at IS NULL AND key_id = 'k1' AND amr = '{}'",
            age,
        )

    await cleaned_up(tools, put, hold)

    kept = await owner.fetch("SELECT extract(day FROM now() - ended_at)::int AS ago FROM sessions")
    assert {row["ago"] for row in kept} == {None, 29}


async def test_what_was_revoked_is_told_for_ten_minutes(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    who = await register(api)
    for minutes in (9, 11):
        age = timedelta(minutes=minutes)
        await owner.execute(_ROWS["revocations"], uuid4(), who["user"]["id"], age)

    await cleaned_up(tools, put, hold)

    old = "SELECT round(extract(epoch FROM now() - min(created_at)) / 60)::int FROM revocations"
    assert await owner.fetchval(old) == 9


async def test_a_change_of_address_is_kept_while_its_way_back_is_open(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    who = await register(api)
    await owner.execute(_ROWS["email_changes"], uuid4(), who["user"]["id"], timedelta(days=365))
    await owner.execute("UPDATE email_changes SET undo_expires_at = now() + interval '1 hour'")

    await cleaned_up(tools, put, hold)

    assert await owner.fetchval("SELECT count(*) FROM email_changes") == 1


async def test_more_than_one_batch_goes_at_once(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, put: Put, hold: Hold
) -> None:
    await owner.execute("""
        INSERT INTO sign_in_failures (account, failures, open_at, updated_at)
        SELECT int4send(number), 1, now(), now() - interval '2 days'
        FROM generate_series(1, 2500) AS number
    """)

    await cleaned_up(tools, put, hold)

    assert await owner.fetchval("SELECT count(*) FROM sign_in_failures") == 0
