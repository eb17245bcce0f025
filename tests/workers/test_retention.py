"""What jobs leave behind is kept for its time and no longer, and what may be needed for ever."""

from dataclasses import replace
from typing import Any

import pytest

from storage.jobs import CleanUpPipeline
from tests.conftest import MakeSettings
from tests.workers.conftest import Hold, Put
from workers.maintenance import clean_up_pipeline
from workers.toolbox import Tools

_PROMISES = """
INSERT INTO outbox (id, queue, name, body, state, finished_at)
SELECT gen_random_uuid(), 'x', name, '{}', state, now() - age
FROM unnest($1::text[], $2::text[], $3::interval[]) AS given (name, state, age)
"""
# A letter of each age, its promise in one of these states or gone.
_LETTERS = """
WITH given AS (
    SELECT gen_random_uuid() AS id, state, age
    FROM unnest(ARRAY['pending', 'handed_over', 'done', 'dead', 'discarded', 'gone'])
        AS states (state),
        unnest(ARRAY[interval '89 days 23 hours', interval '90 days 1 minute']) AS ages (age)
), promises AS (
    INSERT INTO outbox (id, queue, name, body, state, finished_at, available_at)
    SELECT id, 'x', 'kept', '{}', state, now(), now() + interval '1 day'
    FROM given WHERE state <> 'gone'
)
INSERT INTO letters (id, template, state, answer, created_at)
SELECT id, 'x', 'handed_over', state, now() - age FROM given
"""


@pytest.fixture
def clean_up(tools: Tools, put: Put, hold: Hold) -> Any:
    """Do the job, as a worker does, under changed settings."""

    async def doing(**changes: Any) -> None:
        promise = await hold(await put(CleanUpPipeline(), handed_over=True))
        changed = replace(tools, settings=replace(tools.settings, **changes))
        await clean_up_pipeline(CleanUpPipeline(), promise, changed)

    return doing


async def left(owner: Any) -> list[tuple[str, str, int]]:
    """Return the promises that are left: name, state, whole hours since they ended."""
    rows = await owner.fetch(
        "SELECT name, state, round(extract(epoch FROM now() - finished_at) / 3600)::int AS hours"
        " FROM outbox WHERE queue = 'x' ORDER BY name, state, hours"
    )
    return [tuple(row) for row in rows]


async def add(owner: Any, *promises: tuple[str, str, float]) -> None:
    """Add finished promises: name, state, hours ago."""
    names, states, hours = zip(*promises, strict=True)
    ages = [f"{item} hours" for item in hours]
    statement = _PROMISES.replace("$3::interval[]", "$3::text[]").replace(
        "age\n", "age::interval\n"
    )
    await owner.execute(statement, list(names), list(states), ages)


async def test_done_jobs_stay_a_week_discarded_ones_90_days_and_dead_ones_until_somebody_decides(
    clean_up: Any, owner: Any
) -> None:
    ages = (1.5, 167.9, 168.1, 2_159.9, 2_160.1, 99_999)
    for state in ("done", "discarded", "dead"):
        await add(owner, *(("job", state, hours) for hours in ages))

    await clean_up()

    kept = {"done": ages[:2], "discarded": ages[:4], "dead": ages}
    assert await left(owner) == [
        ("job", state, round(hours)) for state in sorted(kept) for hours in kept[state]
    ]


async def test_outbox_retention_says_how_long_done_jobs_stay(clean_up: Any, owner: Any) -> None:
    ages = (0.9, 1.1, 3_000, 4_001)

    for seconds, done, discarded in ((4_000 * 3_600, 3, 3), (3_600, 1, 2)):
        await add(
            owner, *((f"{seconds}", state, h) for state in ("done", "discarded") for h in ages)
        )
        await clean_up(outbox_retention=seconds)

        mine = [state for name, state, _ in await left(owner) if name == f"{seconds}"]
        assert (mine.count("done"), mine.count("discarded")) == (done, discarded)


async def test_promises_to_seal_the_audit_trail_go_after_an_hour(clean_up: Any, owner: Any) -> None:
    await add(owner, ("audit.seal", "done", 0.9), ("audit.seal", "done", 1.1))
    await add(owner, ("audit.seal", "dead", 1.1), ("other", "done", 1.1))

    await clean_up()

    assert await left(owner) == [
        ("audit.seal", "dead", 1),
        ("audit.seal", "done", 1),
        ("other", "done", 1),
    ]


async def test_a_letter_goes_after_90_days_unless_its_job_may_send_it_again(
    clean_up: Any, owner: Any
) -> None:
    await owner.execute(_LETTERS)

    await clean_up()

    rows = await owner.fetch("SELECT answer, count(*) FROM letters GROUP BY 1")
    assert dict(map(tuple, rows)) == {
        "pending": 2,
        "handed_over": 2,
        "done": 1,
        "dead": 2,
        "discarded": 2,
        "gone": 1,
    }


async def test_letter_retention_says_how_long_letters_stay(clean_up: Any, owner: Any) -> None:
    await owner.execute(
        "INSERT INTO letters (id, template, created_at) SELECT gen_random_uuid(), 'x', now() - age"
        " FROM unnest(ARRAY[interval '6 days 23 hours', interval '7 days 1 minute']) AS a (age)"
    )

    await clean_up(letter_retention=7 * 86_400)

    assert await owner.fetchval("SELECT count(*) FROM letters") == 1


async def test_slots_and_quarantined_messages_stay_30_days(clean_up: Any, owner: Any) -> None:
    await owner.execute("""
        WITH ages (age) AS (
            VALUES (interval '30 days 1 minute'), (interval '29 days 23 hours')
        ), slots AS (
            INSERT INTO clock_slots (task, slot, promise_id)
            SELECT 'x', now() - age, gen_random_uuid() FROM ages
        )
        INSERT INTO quarantine (id, queue, reason, size, head, created_at)
        SELECT gen_random_uuid(), 'x', 'x', 0, '', now() - age FROM ages
    """)

    await clean_up()

    assert await owner.fetchval("SELECT count(*) FROM clock_slots") == 1
    assert await owner.fetchval("SELECT count(*) FROM quarantine") == 1


async def test_more_than_one_batch_goes_in_one_run_which_tells_how_many(
    clean_up: Any, owner: Any
) -> None:
    await owner.execute("""
        INSERT INTO outbox (id, queue, name, body, state, finished_at)
        SELECT gen_random_uuid(), 'x', 'x', '{}', 'done', now() - interval '8 days'
        FROM generate_series(1, 10001)
    """)

    await clean_up()

    assert await left(owner) == []
    told = "SELECT progress_done FROM outbox WHERE name = 'maintenance.cleanup'"
    assert await owner.fetchval(told) == 10_001


@pytest.mark.parametrize(
    "wrong", [{"outbox_retention": "59m"}, {"outbox_retention": "0s"}, {"letter_retention": "6d"}]
)
def test_a_time_too_short_to_work_with_is_refused(
    make_settings: MakeSettings, wrong: dict[str, str]
) -> None:
    with pytest.raises(Exception, match=next(iter(wrong)).upper()):
        make_settings(**wrong)
