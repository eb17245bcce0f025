"""What counts as a letter of the hour: what went out, under whichever key its address was kept."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.crypto import KeyRing, SecretKey
from ops.ids import new_id
from storage.jobs import SendReset
from storage.letters import HOURLY_LIMIT, LetterState
from tests.mailroom import Mailroom
from tests.workers.conftest import AddUser, Put
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_withheld_letters_keep_nobody_out_who_asks_again_when_the_hour_is_over(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    for _ in range(8):
        await put(SendReset(user_id))
    await mailroom.deliver()
    await owner.execute(
        "UPDATE letters SET created_at = now() - interval '61 minutes' WHERE state = 'handed_over'"
    )

    await put(SendReset(user_id))

    assert len(await mailroom.deliver()) == 1


async def test_letters_that_went_out_before_a_new_secret_key_count_all_the_same(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom, tmp_path: Path
) -> None:
    user_id = await add_user()
    for _ in range(2):
        await put(SendReset(user_id))
    keys = KeyRing([SecretKey("new", b"n" * 32), *tools.settings.secret_keys])
    rotated = Mailroom(replace(tools, keys=keys), tmp_path)
    assert len(await mailroom.deliver()) == 2

    for _ in range(2):
        await put(SendReset(user_id))

    assert len(await rotated.deliver()) == 1


async def test_two_workers_count_letters_to_one_address_one_after_the_other(
    tools: Tools, add_user: AddUser
) -> None:
    about: Any = {"user_id": await add_user(), "template": "reset", "recipient_macs": [b"address"]}

    async def one_more() -> LetterState:
        async with tools.database.transaction() as storage:
            return await storage.letters.queue_limited(new_id(), **about)

    async with tools.database.transaction() as storage:
        for _ in range(HOURLY_LIMIT):
            assert await storage.letters.queue_limited(new_id(), **about) is LetterState.QUEUED
        waiting = asyncio.create_task(one_more())
        await asyncio.sleep(0.3)

    assert await waiting is LetterState.WITHHELD
