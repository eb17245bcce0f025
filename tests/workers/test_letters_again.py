"""Letters that were given up go out once when they are retried, and once more when replayed."""

from typing import Any
from uuid import UUID

from storage.backlog import desk
from tests.workers.conftest import Row, Welcome
from tests.workers.processes import Start, eventually
from tests.workers.smtp import Sink
from workers.toolbox import Tools


async def test_a_dead_letter_goes_out_once_when_retried_and_again_when_replayed(
    start: Start, tools: Tools, sink: Sink, row: Row, welcome: Welcome
) -> None:
    sink.letters.clear()
    sink.answers["DATA"] = "550 5.1.1 <ada@example.com>: no such mailbox"
    await start("workers.relay", ready="relaying")
    await start("workers", "--queues", "emails", ready="working", SMTP_URL=sink.url)
    job_id = await welcome()

    async def is_in(state: str, wanted: UUID) -> bool:
        return bool((await row(wanted))["state"] == state)

    await eventually(lambda: is_in("dead", job_id), 20)
    assert sink.letters == []
    assert (await row(job_id))["last_error"] == "550 5.1.1 <[address]>: no such mailbox"
    sink.answers.clear()
    async with tools.database.transaction() as storage:
        await desk.retry(storage, job_id)
    await eventually(lambda: is_in("done", job_id), 20)
    assert [f"{job_id}" in one for one in sink.ids] == [True]

    async with tools.database.transaction() as storage:
        copy: Any = await desk.replay_again(storage, job_id)
    await eventually(lambda: is_in("done", copy.id), 20)

    assert len(sink.ids) == len(set(sink.ids)) == 2
    assert str(copy.id) in sink.ids[1]
    assert sink.recipients[-1] == sink.recipients[-2]
