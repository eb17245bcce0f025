"""The journey of a registration: web process, relay, worker, SMTP server, and the letter's link."""

import re
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from ops.logging import get_logger
from tests.factories import bearer, free_port, register
from tests.nursery import Forking
from tests.workers.processes import Start, eventually, starting
from tests.workers.smtp import Sink, listening

_log = get_logger()


@pytest.fixture(scope="module")
async def sink() -> AsyncIterator[Sink]:
    async with listening(Sink()) as running:
        yield running


@pytest.fixture(scope="module")
def start(environ: dict[str, str], migrated: None, forking: Forking) -> Iterator[Start]:
    with starting(environ, forking) as start_process:
        yield start_process


@pytest.fixture(scope="module")
async def house(start: Start, sink: Sink) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the house as production does; give a client of its web process."""
    port = free_port()
    await start("workers", "--queues", "emails", ready="working", SMTP_URL=sink.url)
    await start("workers.relay", ready="relaying")
    settings = {"PORT": str(port), "WEB_PROCESSES": "1", "RATE_LIMIT_ANONYMOUS": "off"}
    await start("api", ready="answering", **settings)
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


async def letter_to(address: str, sink: Sink) -> EmailMessage:
    async def came() -> bool:
        return bool(letters_to(address, sink))

    _log.info("from 201 to the letter", seconds=await eventually(came))
    return letters_to(address, sink)[0]


def letters_to(address: str, sink: Sink) -> list[EmailMessage]:
    return [letter for letter in sink.letters if address in str(letter["To"])]


def text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part
    return str(part.get_content())


async def verify(house: aiohttp.ClientSession, **proof: str) -> int:
    async with house.post("/auth/verify-email", json=proof) as answer:
        return answer.status


async def is_verified(house: aiohttp.ClientSession, signed_in: dict[str, Any]) -> bool:
    async with house.get("/api/v1/auth/me", headers=bearer(signed_in)) as answer:
        return bool((await answer.json())["data"]["emailVerified"])


async def test_a_registration_brings_one_letter_whose_link_verifies_the_address(
    house: aiohttp.ClientSession, sink: Sink, clean: None, owner: Any
) -> None:
    signed_in = await register(house)
    address = signed_in["user"]["email"]

    letter = await letter_to(address, sink)
    link = re.search(r"http://\S+", text_of(letter))
    assert link
    (token,) = parse_qs(urlsplit(link[0]).query)["token"]

    assert not await is_verified(house, signed_in)
    assert await verify(house, token=token) == 200
    assert await is_verified(house, signed_in)
    assert await verify(house, token=token) == 400  # once only

    async def settled() -> bool:
        return bool(
            await owner.fetchval("SELECT state FROM outbox WHERE queue = 'emails'") == "done"
        )

    await eventually(settled)
    assert await owner.fetchval("SELECT state FROM letters") == "handed_over"
    assert len(letters_to(address, sink)) == 1


async def test_the_code_of_the_letter_verifies_the_address_too(
    house: aiohttp.ClientSession, sink: Sink, clean: None
) -> None:
    signed_in = await register(house)
    address = signed_in["user"]["email"]
    code = re.search(r"code: (\d{6})", text_of(await letter_to(address, sink)))
    assert code

    assert await verify(house, email=address, code=code[1]) == 200

    assert await is_verified(house, signed_in)


async def test_the_request_can_be_followed_into_the_worker(
    house: aiohttp.ClientSession, sink: Sink, clean: None, owner: Any
) -> None:
    signed_in = await register(house)
    await letter_to(signed_in["user"]["email"], sink)

    promise = await owner.fetchrow("SELECT * FROM outbox WHERE queue = 'emails'")
    event = await owner.fetchrow("SELECT * FROM audit_inbox WHERE action = 'user.registered'")
    assert promise["request_id"] == event["request_id"]
    assert await owner.fetchval("SELECT id FROM letters") == promise["id"]
