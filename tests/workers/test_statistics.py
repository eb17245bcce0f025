"""Counting days: midnight is UTC's, a day comes out the same later, what was missed is made up."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.jobs import CountStatistics
from storage.statistics import DAY
from tests.workers.conftest import AddUser
from workers.maintenance import count_statistics
from workers.toolbox import Tools

_NOTE = """
INSERT INTO audit_inbox (id, action, outcome, actor_kind, subject_id, request_id, happened_at)
VALUES ($1, $2, 'success', 'user', $3, $4, $5)
"""
_SESSION = """
INSERT INTO sessions (id, user_id, key_id, amr, authenticated_at, absolute_expires_at, expires_at,
    last_used_at, used_before_at)
VALUES ($1, $2, 'k1', '{}', now(), now(), now() + interval '1 day', $3, $4)
"""


def id_at(moment: datetime) -> UUID:
    """Return an id as it is made at a time."""
    stamp = int(moment.timestamp() * 1000) << 80
    return UUID(int=stamp | new_id().int & ((1 << 80) - 1))


async def note(owner: Any, action: str, at: datetime, **facts: Any) -> None:
    await owner.execute(_NOTE, id_at(at), action, facts.get("subject"), facts.get("request"), at)


async def count(tools: Tools) -> None:
    promise: Any = None  # it asks nothing of its promise
    await count_statistics(CountStatistics(), promise, tools)


async def counted(owner: Any, name: str) -> dict[int, int]:
    """Return the values of a name by how many days ago, without the zeroes."""
    rows = await owner.fetch(
        "SELECT extract(day FROM date_trunc('day', now(), 'UTC') - day)::int AS ago, value"
        " FROM statistics WHERE name = $1 AND value > 0",
        name,
    )
    return dict(map(tuple, rows))


@pytest.fixture
async def today(owner: Any, clean: None) -> datetime:
    """Give the midnight UTC this day began with."""
    midnight: datetime = await owner.fetchval("SELECT date_trunc('day', now(), 'UTC')")
    return midnight


async def test_a_day_begins_and_ends_at_midnight_utc(
    tools: Tools, owner: Any, today: datetime
) -> None:
    instant = timedelta(microseconds=1)
    for moment in (today - DAY - instant, today - DAY, today - instant, today):
        await note(owner, "user.registered", moment)

    await count(tools)

    assert await counted(owner, "sign_ups") == {2: 1, 1: 2, 0: 1}


async def test_an_event_whose_id_was_made_by_a_clock_an_hour_ahead_is_counted_all_the_same(
    tools: Tools, owner: Any, today: datetime
) -> None:
    for hours in (-1, 1):
        late = today - timedelta(minutes=1)
        await owner.execute(
            _NOTE, id_at(late + timedelta(hours=hours)), "session.refused", None, None, late
        )

    await count(tools)

    assert await counted(owner, "sign_ins_failed") == {1: 2}


async def test_a_session_opened_by_registering_is_no_sign_in_whoever_else_had_the_request_id(
    tools: Tools, owner: Any, today: datetime
) -> None:
    new, old = new_id(), new_id()
    await note(owner, "user.registered", today, subject=new, request="r")
    await note(owner, "session.opened", today, subject=new, request="r")
    await note(owner, "session.opened", today, subject=old, request="r")
    await note(owner, "session.opened", today, subject=new, request="s")

    await count(tools)

    assert await counted(owner, "sessions_opened") == {0: 3}
    assert await counted(owner, "sign_ins_succeeded") == {0: 2}


async def test_what_is_sealed_between_two_counts_is_counted_once(
    tools: Tools, owner: Any, today: datetime
) -> None:
    for _ in range(3):
        await note(owner, "session.refused", today)
    async with tools.database.transaction() as storage:
        assert await storage.ledger.seal(limit=2) == 2

    await count(tools)

    assert await counted(owner, "sign_ins_failed") == {0: 3}


async def test_what_was_sealed_as_soon_as_its_day_began_is_counted_on_that_day(
    tools: Tools, owner: Any, today: datetime
) -> None:
    await note(owner, "session.refused", today - DAY)
    async with tools.database.transaction() as storage:
        await storage.ledger.seal(limit=2)
    await owner.execute("UPDATE audit_ledger SET sealed_at = happened_at")

    await count(tools)

    assert await counted(owner, "sign_ins_failed") == {1: 1}


async def test_days_that_no_clock_counted_are_made_up_for_and_counted_ones_left_alone(
    tools: Tools, owner: Any, today: datetime
) -> None:
    for ago in (0, 1, 2, 4, 5, 6, 40):
        await note(owner, "user.registered", today - ago * DAY)
    await owner.execute(
        "INSERT INTO statistics (day, name, value) VALUES ($1, 'sign_ups', 7), ($2, 'sign_ups', 7)",
        today - 5 * DAY,
        today - 6 * DAY,
    )

    await count(tools)

    assert await counted(owner, "sign_ups") == {0: 1, 1: 1, 2: 1, 4: 1, 5: 1, 6: 7}


async def test_the_first_count_looks_back_a_month(
    tools: Tools, owner: Any, today: datetime
) -> None:
    for ago in (31, 32):
        await note(owner, "user.registered", today - ago * DAY)

    await count(tools)

    assert await counted(owner, "sign_ups") == {31: 1}


async def test_who_was_active_yesterday_is_still_known_after_they_came_back_today(
    tools: Tools, owner: Any, today: datetime, add_user: AddUser
) -> None:
    uses = {
        "only today": (today, None),
        "yesterday": (today - timedelta(seconds=1), None),
        "both days": (today, today - DAY),
        "both weeks": (today, today - 7 * DAY),
        "this week": (today - 6 * DAY, None),
        "yesterday's week": (today - 6 * DAY - timedelta(seconds=1), None),
        "the week before": (today - 7 * DAY - timedelta(seconds=1), None),
        "this month": (today - 29 * DAY, None),
        "long ago": (today - 29 * DAY - timedelta(seconds=1), None),
    }
    for number, (last, before) in enumerate(uses.values()):
        user_id = await add_user(email=f"person{number}@example.com")
        for _ in range(2):  # two sessions are one person
            await owner.execute(_SESSION, new_id(), user_id, last, before)

    await count(tools)

    assert await counted(owner, "active_daily") == {0: 3, 1: 2}
    assert await counted(owner, "active_weekly") == {0: 5, 1: 5}
    assert await counted(owner, "active_monthly") == {0: 8, 1: 8}


@pytest.mark.parametrize("alone", [True, False])
async def test_refreshing_remembers_the_last_use_of_an_earlier_day(
    tools: Tools, owner: Any, today: datetime, add_user: AddUser, alone: Any
) -> None:
    session_id = new_id()
    await owner.execute(_SESSION, session_id, await add_user(), today - DAY, None)
    await owner.execute("UPDATE sessions SET absolute_expires_at = now() + interval '1 day'")
    look = "SELECT used_before_at FROM sessions"

    for generation in (0, 1):
        async with tools.database.reading() as storage:
            key: Any = {"key_id": "k1", "seconds": 60}
            if alone:
                await storage.sessions.rotate(session_id, generation=generation, **key)
            else:
                await storage.sessions.rotate_all({session_id: generation}, **key)

        assert await owner.fetchval(look) == today - DAY


async def test_letters_are_told_apart_by_what_became_of_them(
    tools: Tools, owner: Any, today: datetime
) -> None:
    await owner.execute(
        "INSERT INTO letters (id, template, state, created_at)"
        " SELECT gen_random_uuid(), 'welcome', state, $1::timestamptz - n * interval '1 day'"
        " FROM unnest(ARRAY['handed_over', 'handed_over', 'bounced']) AS states (state),"
        " generate_series(0, 1) AS n",
        today,
    )

    await count(tools)

    assert await counted(owner, "letters_handed_over") == {0: 2, 1: 2}
    assert await counted(owner, "letters_bounced") == {0: 1, 1: 1}
    assert await counted(owner, "letters_failed") == {}
