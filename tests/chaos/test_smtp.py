"""The mail server in trouble: registrations go on, and letters leave in order when it is well."""

import asyncio
import time

import pytest

from ops.logging import get_logger
from tests.chaos.conftest import AT_ONCE, ROUNDS, House
from tests.chaos.pair import percentile
from tests.workers.moody import Fault, Moody, Stage, moody
from tests.workers.processes import eventually
from tests.workers.smtp import Sink, listening

_log = get_logger()

# `make chaos` waits for the real probes, `make test` has them come sooner.
PATIENT = len(ROUNDS) > 1
SOON = "UPDATE queue_pauses SET until = least(until, now() + interval '0.2 seconds') RETURNING 1"
DUE_AT_ONCE = """
UPDATE outbox SET available_at = now() WHERE state = 'pending' AND available_at > now()
"""
TROUBLES = [(Stage.GREETING, Fault.HANGS), (Stage.END, Fault.HANGS), (Stage.MAIL, Fault.GARBAGE)]
MORE = [
    *((stage, Fault.CLOSES) for stage in (Stage.EHLO, Stage.RCPT, Stage.END)),
    *((stage, Fault.LEAVING) for stage in (Stage.GREETING, Stage.MAIL, Stage.END)),
    *((stage, Fault.HANGS) for stage in (Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA)),
    *((Stage.DATA, fault) for fault in (Fault.TRICKLES, Fault.ENDLESS, Fault.NUMBERS)),
]
PEOPLE = 16


async def _begin(house: House, server: Moody) -> None:
    await house.relay()
    queues = ("--queues", "emails", "--threads", str(AT_ONCE))
    await house.start("workers", *queues, ready="working", SMTP_URL=f"{server.url}&timeout=1")


async def _register(house: House, count: int) -> tuple[list[str], list[float]]:
    """Register people one after the other; return their addresses and how long each took."""
    people, times = [], []
    for _ in range(count):
        started = time.monotonic()
        people.append(await house.register())
        times.append(time.monotonic() - started)
    return people, times


async def _delivered(house: House, server: Moody, people: list[str], seconds: float) -> float:
    async def all_have_one() -> bool:
        if not PATIENT:
            await house.ask(SOON)
        return set(people) <= set(server.recipients)

    return await eventually(all_have_one, seconds)


async def _count(house: House, condition: str) -> int:
    return int(str(await house.promised(condition)))


async def test_letters_wait_for_their_server_and_leave_oldest_first(house: House) -> None:
    async with listening(Sink()) as away:
        pass  # its port is free again
    house.sink = away
    await house.relay()
    await house.worker()
    people, times = await _register(house, 8)

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
    assert arrived[0] == people[0]  # the probe; the rest leave four at once
    assert await house.ask("SELECT count(*) FROM queue_pauses") == 0


@pytest.mark.parametrize(("stage", "fault"), TROUBLES + (MORE if PATIENT else []))
async def test_whatever_the_mail_server_does_registrations_are_quick_and_letters_wait(
    house: House, stage: Stage, fault: Fault
) -> None:
    async with moody(Moody()) as server:
        await _begin(house, server)
        before, usual = await _register(house, PEOPLE)
        await _delivered(house, server, before, 10)
        await house.settles()

        server.goes_wrong(stage, fault)
        people, times = await _register(house, PEOPLE)
        await eventually(lambda: _count(house, "last_error IS NOT NULL AND state <> 'done'"))
        server.is_well()
        took = await _delivered(house, server, people, 60)
        await house.settles()

    _log.info(
        "SMTP server unwell",
        stage=stage,
        fault=fault,
        seconds=round(took, 1),
        usual={"p50": percentile(usual, 0.5), "p99": percentile(usual, 0.99)},
        meanwhile={"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)},
    )
    assert max(times) < 2
    arrived = server.recipients[len(before) :]
    assert sorted(arrived) == sorted(people)  # each letter once
    late = [abs(arrived.index(person) - place) for place, person in enumerate(people)]
    assert max(late) < AT_ONCE
    assert await house.ask("SELECT count(*) FROM queue_pauses") == 0


@pytest.mark.parametrize("fault", [Fault.CLOSES] + [Fault.HANGS] * PATIENT)
async def test_a_letter_that_the_server_never_survives_holds_no_other_for_long(
    house: House, fault: Fault
) -> None:
    server = Moody(at=Stage.END, fault=fault)
    async with moody(server):
        [poison], _ = await _register(house, 1)
        server.only = lambda recipient: recipient == poison
        people, _ = await _register(house, PEOPLE)
        await _begin(house, server)

        took = await _delivered(house, server, people, 60)
        _log.info("poisonous letter", fault=fault, seconds=round(took, 1))
        tried = server.tried[poison]

        async def tried_again() -> bool:
            if not PATIENT:
                await house.ask(f"{DUE_AT_ONCE} RETURNING 1")
            return server.tried[poison] >= max(tried + 1, 3)

        await eventually(tried_again, 60)
        others, _ = await _register(house, 4)

        # By now it is known: nobody waits for it any more, not even 15 seconds.
        assert await _delivered(house, server, others, 10) < 10
        assert await _count(house, "state <> 'done' AND attempts >= 3") == 1
        server.is_well()
        await house.ask(f"{DUE_AT_ONCE} RETURNING 1")
        await _delivered(house, server, [poison], 60)


async def test_what_is_said_of_one_recipient_concerns_no_other(house: House) -> None:
    server = Moody(at=Stage.RCPT, fault=Fault.NOT_NOW)
    async with moody(server):
        [full], _ = await _register(house, 1)
        server.only = lambda recipient: recipient == full
        people, _ = await _register(house, PEOPLE)
        await _begin(house, server)

        took = await _delivered(house, server, people, 10)
        assert await _count(house, "state = 'pending' AND attempts > 0") == 1
        assert await house.ask("SELECT count(*) FROM queue_pauses") == 0
        server.is_well()
        later = await _delivered(house, server, [full], 60)
        await house.settles()

    _log.info("a mailbox full", others=round(took, 1), seconds=round(later, 1))


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.END] + [Stage.MAIL, Stage.DATA] * PATIENT)
async def test_a_letter_refused_for_good_is_dead_after_one_try(house: House, stage: Stage) -> None:
    server = Moody(at=stage, fault=Fault.NEVER)
    async with moody(server):
        await _begin(house, server)
        await _register(house, 3)

        async def all_dead() -> bool:
            return await _count(house, "state = 'dead' AND attempts = 1") == 3

        await eventually(all_dead)
        await asyncio.sleep(0.5)  # time enough to try again, if anybody did

        assert await _count(house, "(attempts > 1 OR state <> 'dead')") == 0
        assert await house.ask("SELECT count(*) FROM letters WHERE state = 'failed'") == 3
        assert max(server.tried.values(), default=0) <= 1
        assert server.letters == []
