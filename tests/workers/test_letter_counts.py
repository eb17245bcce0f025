"""What counts as a letter of the hour: what went out, under whichever key its address was kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.crypto import KeyRing, SecretKey
from storage.jobs import SendReset
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
