"""The mail server away: registrations go on, and letters leave in order when it is back."""

import time

from ops.logging import get_logger
from tests.chaos.conftest import House
from tests.workers.processes import eventually
from tests.workers.smtp import Sink, listening

_log = get_logger()


async def test_letters_wait_for_their_server_and_leave_oldest_first(house: House) -> None:
    async with listening(Sink()) as away:
        pass  # its port is free again
    house.sink = away
    await house.relay()
    await house.worker()
    times = []
    people = []
    for _ in range(8):
        started = time.monotonic()
        people.append(await house.register())
        times.append(time.monotonic() - started)

    async def paused() -> bool:
        return (
            await house.ask("SELECT count(*) FROM queue_pauses") == 1
            and await house.promised("state = 'pending' AND attempts = 0") == 8
        )

    await eventually(paused)
    assert max(times) < 1
    # The next probe would leave 15 seconds after the last one; nobody needs to wait for it here.
    await house.ask("UPDATE queue_pauses SET until = now() + interval '1 second' RETURNING 1")
    async with listening(away, port=away.port):
        took = await house.all_have_letters(people, 25)
        _log.info("SMTP server away", seconds=took)
        await house.settles()

    arrived = [str(letter["To"].addresses[0].addr_spec) for letter in away.letters]
    assert sorted(arrived) == sorted(people)
    assert arrived[0] == people[0]  # the probe; the rest leave on four threads at once
    assert await house.ask("SELECT count(*) FROM queue_pauses") == 0
