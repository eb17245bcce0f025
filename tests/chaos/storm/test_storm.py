"""The storm: the real processes under load, killed, frozen and wiped at random; nothing is lost.

CHAOS_SEED repeats the order of accidents and of what people do; CHAOS_ROUNDS has more of both.
"""

import asyncio
import os
import random
import time
from contextlib import AsyncExitStack

import asyncpg
import pytest

from tests.chaos.conftest import ROUNDS
from tests.chaos.storm import judge
from tests.chaos.storm.accidents import Pace, Storm
from tests.chaos.storm.admins import Admin
from tests.chaos.storm.client import Client
from tests.chaos.storm.found import OPEN, UNSEALED, Found, look
from tests.chaos.storm.installation import Installation, installed
from tests.chaos.storm.judge import Finding
from tests.chaos.storm.ledger import Ledger
from tests.chaos.storm.lives import Person
from tests.chaos.storm.post import MoodySink
from tests.chaos.storm.report import Report
from tests.chaos.storm.sessions import sessions_are_as_told
from tests.chaos.storm.story import told
from tests.workers.processes import eventually
from tests.workers.smtp import listening

IS_LONG = len(ROUNDS) > 1
PACE = Pace((0.5, 2.5), (1.0, 8.0)) if IS_LONG else Pace((0.3, 1.2), (0.5, 2.0))
# Longer than the lease of an Idempotency-Key whose process died with it.
PATIENCE = 75.0 if IS_LONG else 6.0
HANG_SECONDS = 25.0 if IS_LONG else 2.0
PEOPLE, ADMINS = 5, 2
# Times that every kind of accident happens in a round.
DECKS = 2 if IS_LONG else 1
DRAIN_SECONDS = 60
# Sessions and passwords that are tried out after a round.
MOST = 150 if IS_LONG else 40


async def test_whatever_is_killed_nothing_acknowledged_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000))
    ledger, report = Ledger(), Report()
    sink = MoodySink(chance=random.Random(f"{seed} post"), longest=HANG_SECONDS)
    began = time.monotonic()
    async with listening(sink), installed(sink.url) as installation:
        storm = Storm(installation, random.Random(f"{seed} storm"), PACE, sink)
        for number in ROUNDS:
            sink.calm, started = False, time.monotonic()
            await _round(storm, sink, ledger, f"{seed} {number}")
            sink.calm = True
            report.raged.append(time.monotonic() - started)
            report.drained.append(await _drained(installation))

            findings, found = await _judged(storm, sink, ledger)
            if findings and report.drained[-1] < DRAIN_SECONDS:
                # A slot of the clock may have come in between: whatever is wrong stays so.
                await _drained(installation)
                findings, found = await _judged(storm, sink, ledger)
            report.rounds, report.losses = number + 1, len(findings)
            lines = report.lines(ledger, found, sink.arrived, storm.accidents)
            with capsys.disabled():
                print(f"\nCHAOS_SEED={seed} {time.monotonic() - began:.0f} s", *lines, sep="\n")  # noqa: T201 - the figures
            if findings:
                story = told(findings, found, sink.arrived, storm.accidents, began=began)
                pytest.fail("\n".join([story, *installation.complaints(20)]))


async def _round(storm: Storm, sink: MoodySink, ledger: Ledger, seed: str) -> None:
    """Let people and administrators go about their business while one round of accidents rages."""
    over = asyncio.Event()
    async with AsyncExitStack() as opened, asyncio.TaskGroup() as group:
        for number in range(PEOPLE + ADMINS):
            client = Client(
                storm.installation.urls,
                ledger,
                chance=random.Random(f"{seed} {number}"),
                patience=PATIENCE,
            )
            opened.push_async_callback(client.close)
            lives = _lives(client, sink, over) if number < PEOPLE else Admin(client).work(over)
            group.create_task(lives)
        await asyncio.sleep(1)
        for _ in range(DECKS):
            await storm.rage()
        await storm.pass_over()
        over.set()


async def _lives(client: Client, sink: MoodySink, over: asyncio.Event) -> None:
    while not over.is_set():
        await Person(client, sink).live(over)


async def _drained(installation: Installation) -> float:
    """Wait until every promise is kept and every event sealed; return how long it took."""

    async def is_quiet() -> bool:
        try:
            connection = await installation.connect()
        except (OSError, asyncpg.CannotConnectNowError):  # it may be recovering yet
            return False
        try:
            return await connection.fetchval(OPEN) == await connection.fetchval(UNSEALED) == 0
        finally:
            await connection.close()

    begun = time.monotonic()
    try:
        return await eventually(is_quiet, DRAIN_SECONDS)
    except AssertionError:
        return time.monotonic() - begun  # the judge tells what is open


async def _judged(storm: Storm, sink: MoodySink, ledger: Ledger) -> tuple[list[Finding], Found]:
    connection = await storm.installation.connect()
    try:
        found = await look(connection, time.monotonic())
    finally:
        await connection.close()
    verdict = await storm.installation.verify_audit()
    findings = [Finding(fault) for fault in ledger.faults]
    findings += [] if verdict.startswith("valid") else [Finding(f"the audit chain: {verdict}")]
    findings += judge.rows_are_as_acknowledged(ledger, found)
    findings += judge.deeds_left_their_traces(ledger, found)
    findings += judge.nothing_came_from_nowhere(ledger, found)
    findings += judge.promises_are_kept(ledger, found)
    findings += judge.letters_came(ledger, found, sink.arrived)
    findings += judge.copies_have_their_kill(found, sink.arrived, storm.accidents)
    findings += judge.slots_were_kept(found)
    await storm.installation.answers()
    asking = Client(storm.installation.urls, Ledger("judge"), chance=random.Random(0), patience=10)
    findings += await sessions_are_as_told(asking, ledger, found, most=MOST)
    await asking.close()
    return findings, found
