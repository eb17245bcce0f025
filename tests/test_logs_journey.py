"""Logs of real processes: one request followed through all of them, and nobody found in them."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.factories import bearer, free_port, new_user
from tests.nursery import Forking
from tests.workers.processes import Running, Start, eventually, starting
from tests.workers.smtp import Sink, listening

CATEGORIES = {"access", "application", "error", "security"}
# Words that stand in no code of ours.
EMAIL, FIRST, LAST = "zanzibar.quux@example.com", "Zephyrina", "Quuxbury"
PASSWORD, SECOND_PASSWORD, WRONG = "Vermilion-Otter-71", "Indigo-Walrus-82", "Beige-Falcon-93"


@dataclass(frozen=True)
class House:
    """The processes, a client of the web process, and the letters that came."""

    processes: list[Running]
    api: aiohttp.ClientSession
    sink: Sink

    def lines_of(self, module: str) -> list[dict[str, Any]]:
        """Return what one process has logged."""
        return [
            line for process in self.processes if process.name == module for line in process.events
        ]

    async def letter(self, template: str) -> EmailMessage:
        """Wait for the newest letter of a template."""

        async def came() -> bool:
            return bool(self._letters(template))

        await eventually(came, 20)
        return self._letters(template)[-1]

    def _letters(self, template: str) -> list[EmailMessage]:
        return [each for each in self.sink.letters if each["X-Ostiary-Template"] == template]


@pytest.fixture(scope="module")
def start(environ: dict[str, str], migrated: None, forking: Forking) -> Iterator[Start]:
    with starting(environ | {"LOG_LEVEL": "debug"}, forking) as start_process:
        yield start_process


@pytest.fixture(scope="module")
async def house(start: Start) -> AsyncIterator[House]:
    port, sink = free_port(), Sink()
    limits = {"RATE_LIMIT_ANONYMOUS": "off", "RATE_LIMIT_AUTH_FAILURES": "off"}
    async with listening(sink):
        queues = ("emails", "passwords")
        processes = [
            await start("workers", "--queues", *queues, ready="working", SMTP_URL=sink.url),
            await start("workers.relay", ready="relaying"),
            await start("api", ready="answering", PORT=str(port), WEB_PROCESSES="1", **limits),
        ]
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as client:
            yield House(processes, client, sink)


async def test_one_id_is_on_the_answer_every_line_the_promise_the_event_and_the_letter(
    house: House, clean: None, owner: Any
) -> None:
    request_id = "follow-me.0123456789"

    house.sink.letters.clear()
    headers = {"X-Request-Id": request_id}
    async with house.api.post("/auth/register", json=new_user(), headers=headers) as answer:
        assert answer.status == 201
    letter = await house.letter("welcome")

    async def ended() -> bool:
        return any(line.get("request_id") == request_id for line in house.lines_of("workers"))

    await eventually(ended)
    assert answer.headers["X-Request-Id"] == request_id
    assert letter["X-Request-Id"] == request_id
    (asked,) = [line for line in house.lines_of("api") if line.get("request_id") == request_id]
    (done,) = [line for line in house.lines_of("workers") if line.get("request_id") == request_id]
    assert (asked["event"], asked["category"], asked["status"]) == ("request", "access", 201)
    assert (done["event"], done["job"], done["outcome"]) == ("job ended", "emails.welcome", "done")
    promise = await owner.fetchrow("SELECT id, request_id FROM outbox WHERE queue = 'emails'")
    assert promise["request_id"] == request_id
    assert done["job_id"] == str(promise["id"])
    noted = "SELECT request_id FROM audit_inbox WHERE action = 'user.registered'"
    assert await owner.fetchval(noted) == request_id


async def test_nobody_and_nothing_secret_is_in_the_logs_of_a_whole_acquaintance(
    house: House, clean: None
) -> None:
    secrets = await _acquaintance(house)

    text = "".join(process.output.read_text() for process in house.processes)
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["category"] for line in lines} <= CATEGORIES
    assert {"access", "application", "security"} <= {line["category"] for line in lines}
    assert len([line for line in lines if line["event"] == "request"]) >= 6
    found = text.lower()
    for word in (EMAIL, "zanzibar.quux", FIRST, LAST, PASSWORD, SECOND_PASSWORD, WRONG, *secrets):
        assert word.lower() not in found, word


async def _acquaintance(house: House) -> list[str]:
    """Register, sign in wrongly and rightly, reset the password; return what must not be told."""
    names = {"firstName": FIRST, "lastName": LAST}
    new = {"email": EMAIL, "password": PASSWORD, **names}
    signed_in = await _post(house, "register", new, 201)
    await _post(house, "register", new, 409)
    await _post(house, "register", {**new, "email": f"{EMAIL}@"}, 400)
    await _post(house, "login", {"email": EMAIL, "password": WRONG}, 401)
    again = await _post(house, "login", {"email": EMAIL, "password": PASSWORD}, 200)
    headers = bearer(again) | {"User-Agent": f"curl/{EMAIL}"}
    async with house.api.get(f"/api/v1/auth/me?email={EMAIL}", headers=headers) as answer:
        assert answer.status == 200
    await _post(house, "forgot-password", {"email": EMAIL}, 200)
    welcome, reset = await house.letter("welcome"), await house.letter("reset")
    tokens = [_token_of(letter) for letter in (welcome, reset)]
    async with house.api.get(f"/verify-email?token={tokens[0]}") as answer:
        assert answer.status == 200
    await _post(house, "reset-password", {"token": tokens[1], "newPassword": SECOND_PASSWORD}, 200)
    codes = [_code_of(letter) for letter in (welcome, reset)]
    kept = [who[name] for who in (signed_in, again) for name in ("accessToken", "refreshToken")]
    return [*tokens, *codes, *kept]


async def _post(house: House, path: str, body: dict[str, str], status: int) -> dict[str, Any]:
    async with house.api.post(f"/api/v1/auth/{path}", json=body) as answer:
        told = await answer.json()
        assert answer.status == status, told
        return dict(told.get("data") or {})


def _token_of(letter: EmailMessage) -> str:
    (link,) = set(re.findall(r"http://\S+\?token=\S+", _text_of(letter)))
    return parse_qs(urlsplit(link).query)["token"][0]


def _code_of(letter: EmailMessage) -> str:
    found = re.search(r"\b(\d{6})\b", _text_of(letter))
    assert found
    # Six digits are part of many an id; in a line they would stand alone.
    return f'"{found[1]}"'


def _text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part
    return str(part.get_content())
