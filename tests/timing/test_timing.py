"""Nobody learns from an answer, or how long it takes, who has an account (docs/enumeration.md).

A class is looked at again while it seems to differ, and is told apart when every look agrees; this
keeps a busy machine from turning the suite red. `make timing` measures longer, as production runs.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from api.access import Public
from api.app import make_app
from api.context import CALL
from api.envelope import Answer
from api.parts import Parts, open_parts
from api.passwords.handlers import PASSWORDS
from api.passwords.schemas import ForgottenSchema
from api.passwords.service import Forgotten
from api.routing import BASE, Routes
from api.serving.child import start
from tests.conftest import MakeSettings, Serve
from tests.factories import CHEAP, PASSWORD, free_socket
from tests.timing import scene
from tests.timing.accounts import Account
from tests.timing.questions import QUESTIONS, Question
from tests.timing.stopwatch import PLANTED, examine, rounds_of
from tests.timing.verdict import Finding, Verdict, auc, verdict_on

# A quick look at everybody, closer ones at whom it makes suspicious.
LOOKS = (50, 100, 100)
EACH = rounds_of(LOOKS)
# 2 ms of work: what a failure would save that does not do it.
BCRYPT_COST = 5
LEAKY = Question(
    path="leaky", classes=(Account.KNOWN, Account.DELETED), body=lambda address: {"email": address}
)

leaky_routes = Routes(f"{BASE}/auth", tag="Leaky")


@leaky_routes.add("POST", "/leaky", access=Public(), takes=ForgottenSchema())
async def leaky(request: web.Request, body: Forgotten) -> Answer:
    """Do what /forgot-password does, and 2 ms more for somebody."""
    await request.app[PASSWORDS].forgot(body, request[CALL])
    if body.email.startswith(Account.KNOWN):
        await asyncio.sleep(PLANTED)
    return Answer(message="Password reset email sent if account exists")


@pytest.fixture
async def leaky_api(
    make_settings: MakeSettings, clean: None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a server that has a leaky endpoint; give a client of it."""
    settings = make_settings(**scene.SETTINGS)
    async with open_parts(settings, name="test", cost=CHEAP) as parts:
        sock = free_socket()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        runner, server = await start(await make_app(parts, also=(leaky_routes,)), sock)
        async with aiohttp.ClientSession(url) as client:
            yield client
        server.close()
        await runner.cleanup()


async def put_people(owner: Any, parts: Parts, question: Question) -> None:
    own_hash = await parts.hasher.hash(PASSWORD)
    await scene.people(owner, question, each=EACH, own_hash=own_hash, bcrypt_cost=BCRYPT_COST)


async def found_by(
    api: aiohttp.ClientSession, owner: Any, question: Question, looks: Sequence[int] = LOOKS
) -> list[Finding]:
    asker = await scene.asker(api, owner, question, each=EACH)
    return await examine(asker, looks)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
async def test_no_class_of_accounts_is_told_from_an_unknown_address(
    question: Question, serve: Serve, owner: Any, parts: Parts
) -> None:
    await put_people(owner, parts, question)
    api = await serve(security_profile=question.profile, **scene.SETTINGS)

    findings = await found_by(api, owner, question)

    assert [found for found in findings if found.verdict is not Verdict.ALIKE] == []
    assert {found.account for found in findings} == set(question.classes)


async def test_two_milliseconds_more_for_somebody_are_found(
    leaky_api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    await put_people(owner, parts, LEAKY)

    verdicts = {}
    for _ in range(4):  # a busy machine is blind for a while, as the control of `make timing` is
        findings = await found_by(leaky_api, owner, LEAKY, (100, 100))
        verdicts = {found.account: found.verdict for found in findings}
        if verdicts[Account.KNOWN] is Verdict.SLOWER:
            break

    assert verdicts == {Account.KNOWN: Verdict.SLOWER, Account.DELETED: Verdict.ALIKE}


async def test_one_header_or_word_more_is_found(serve: Serve, owner: Any, parts: Parts) -> None:
    guess = replace(
        QUESTIONS[0],
        classes=(Account.DEACTIVATED,),
        body=lambda address: {"email": address, "password": PASSWORD},
    )
    await put_people(owner, parts, guess)
    api = await serve(**scene.SETTINGS)

    (found,) = await found_by(api, owner, guess, (10,))

    assert found.verdict is Verdict.DIFFERENT
    told = "\n".join(found.answers)
    assert "ACCOUNT_DEACTIVATED" in told
    assert "INVALID_CREDENTIALS" in told


@pytest.mark.parametrize(
    ("times", "expected"), [([1, 2, 3], 0.5), ([4, 5], 1.0), ([0], 0.0), ([2, 9], 0.75)]
)
def test_the_area_is_the_chance_of_being_the_longer_one(
    times: list[float], expected: float
) -> None:
    assert auc(times, [1, 2, 3]) == expected


@pytest.mark.parametrize(
    ("aucs", "expected"),
    [
        ((0.40, 0.60), Verdict.ALIKE),
        ((0.61, 0.62), Verdict.SLOWER),
        ((0.39, 0.38), Verdict.FASTER),
        ((0.61, 0.39), Verdict.ALIKE),
        ((0.99, 0.60), Verdict.ALIKE),
    ],
)
def test_looks_that_disagree_tell_nobody_apart(aucs: tuple[float, ...], expected: Verdict) -> None:
    assert verdict_on(Account.KNOWN, aucs) is expected
