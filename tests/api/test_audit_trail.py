"""What is written down of everything done under /auth: these events, no others, no secret."""

import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.app import all_endpoints
from api.parts import Parts
from ops.logging import set_up
from tests.api.flows import AUTH, MOVED, NEW, moved, post, proved, wish
from tests.api.lines import settled
from tests.conftest import MakeSettings, Serve
from tests.factories import PASSWORD, bearer, new_user, register
from tests.mailroom import Mailroom, everything_kept, token_of
from workers.toolbox import Tools

ADA, NOBODY = "ada@example.com", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"
Who = dict[str, Any]


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


@pytest.fixture
def log(make_settings: MakeSettings) -> Iterator[io.StringIO]:
    """Log into memory."""
    output = io.StringIO()
    set_up(make_settings(log_level="debug"), process="test", output=output)
    yield output
    set_up(make_settings(), process="test")


@dataclass(frozen=True, slots=True)
class Case:
    """A call of Ada's, who has proved her address; what she is answered and what is noted."""

    door: str
    status: int
    noted: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = False


def by_ada(door: str, status: int, *noted: str, **body: Any) -> Case:
    """Make a case with her access token."""
    return Case(door, status, noted, body, signed_in=True)


def by_stranger(door: str, status: int, *noted: str, **body: Any) -> Case:
    """Make a case without."""
    return Case(door, status, noted, body)


# A value in <> is made for the call: a letter's token, a session. Minus: a failure; excl.: denied.
CASES = [
    by_stranger("POST /register", 201, "+user.registered", "+session.opened", **new_user()),
    by_stranger("POST /register", 409, "-user.registration_refused", **new_user(email=ADA)),
    by_stranger("POST /register", 400, **new_user(password="password")),
    by_stranger("POST /login", 200, "+session.opened", email=ADA, password=PASSWORD),
    by_stranger("POST /login", 401, "-session.refused", email=ADA, password="x"),
    by_stranger("POST /login", 401, "-session.refused", email="no@example.com", password="x"),
    by_stranger("POST /refresh", 200, refreshToken="<refresh>"),
    by_stranger("POST /refresh", 401, refreshToken="ort_x"),
    by_stranger("POST /refresh", 401, "!session.token_reused", refreshToken="<stolen>"),
    by_ada("POST /logout", 200, "+session.ended"),
    by_stranger("POST /logout", 401),
    by_ada("POST /logout-all", 200, "+session.all_ended"),
    by_stranger("POST /logout-all", 401),
    by_ada("DELETE /sessions/{id}", 200, "+session.ended", id="<session>"),
    by_ada("DELETE /sessions/{id}", 404, id=NOBODY),
    by_ada("DELETE /sessions", 200, "+session.others_ended"),
    by_stranger("DELETE /sessions", 401),
    by_ada("DELETE /me", 200, "+user.deleted"),
    by_stranger("DELETE /me", 401),
    by_ada("POST /step-up", 200, "+session.stepped_up", password=PASSWORD),
    by_ada("POST /step-up", 400, "-password.refused", password="x"),
    by_ada(
        *("POST /change-password", 200, "+user.password_changed"),
        currentPassword=PASSWORD,
        newPassword=NEW,
    ),
    by_ada(
        *("POST /change-password", 400, "-password.refused"), currentPassword="x", newPassword=NEW
    ),
    by_stranger("POST /forgot-password", 200, "+password_reset.requested", email=ADA),
    by_stranger("POST /forgot-password", 200, "+password_reset.requested", email="no@example.com"),
    by_stranger(
        "POST /reset-password", 200, "+user.password_reset", token="<reset>", newPassword=NEW
    ),
    by_stranger(
        "POST /reset-password", 400, "-password_reset.refused", token="opr_x", newPassword=NEW
    ),
    by_stranger("POST /reset-password", 400, token="<reset>", newPassword="password"),
    by_stranger("POST /verify-email", 200, "+user.email_verified", token="<verification>"),
    by_stranger("POST /verify-email", 400, "-verification.refused", token="oev_x"),
    by_stranger("POST /resend-verification", 200, "+verification.requested", email=ADA),
    by_ada("POST /change-email", 200, "+email_change.requested", newEmail=MOVED),
    by_ada(*("POST /change-email", 400, "-password.refused"), newEmail=MOVED, currentPassword="x"),
    by_stranger("POST /confirm-email", 200, "+user.email_changed", token="<change>"),
    by_stranger("POST /confirm-email", 400, "-email_change.refused", token="oec_x"),
    by_stranger("POST /undo-email-change", 200, "+user.email_change_undone", token="<undo>"),
    by_stranger("POST /undo-email-change", 400, "-email_change.undo_refused", token="oeu_x"),
]
_NOTED = """
SELECT translate(left(outcome, 1), 'sfd', '+-!') || action FROM audit_inbox ORDER BY happened_at, id
"""


async def letter_of_reset(api: aiohttp.ClientSession, mailroom: Mailroom, _: Who) -> str:
    await post(api, "forgot-password", email=ADA)
    return token_of(await mailroom.one("reset"))


async def letter_of_change(api: aiohttp.ClientSession, mailroom: Mailroom, ada: Who) -> str:
    await wish(api, ada)
    return token_of(await mailroom.one("confirm_change"))


async def letter_of_welcome(api: aiohttp.ClientSession, mailroom: Mailroom, _: Who) -> str:
    await register(api)
    return token_of(await mailroom.one("welcome"))


async def refresh_token(api: aiohttp.ClientSession, _: Mailroom, ada: Who) -> str:
    return str(ada["refreshToken"])


async def stolen_token(api: aiohttp.ClientSession, _: Mailroom, ada: Who) -> str:
    """Return a refresh token that was followed by two others."""
    token = ada["refreshToken"]
    for _generation in range(2):
        told = (await post(api, "refresh", refreshToken=token))[1]
        token = told["refreshToken"]
    return str(ada["refreshToken"])


async def other_session(api: aiohttp.ClientSession, _: Mailroom, ada: Who) -> str:
    await post(api, "login", email=ADA, password=PASSWORD)
    async with api.get(f"{AUTH}/sessions", headers=bearer(ada)) as answer:
        listed = (await answer.json())["data"]
    return next(str(session["id"]) for session in listed if not session["current"])


_MADE: dict[str, Callable[[aiohttp.ClientSession, Mailroom, Who], Awaitable[str]]] = {
    "<reset>": letter_of_reset,
    "<change>": letter_of_change,
    "<verification>": letter_of_welcome,
    "<undo>": moved,
    "<refresh>": refresh_token,
    "<stolen>": stolen_token,
    "<session>": other_session,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.door} {case.status}")
async def test_every_change_leaves_these_events_and_no_others(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, case: Case
) -> None:
    ada = await proved(api, mailroom, email=ADA)
    body = {
        name: await _MADE[value](api, mailroom, ada) if value in _MADE else value
        for name, value in case.body.items()
    }
    method, path = case.door.replace("{id}", body.pop("id", "")).split()
    headers = bearer(ada) if case.signed_in else {}
    await owner.execute("DELETE FROM audit_inbox")

    async with api.request(method, AUTH + path, json=body or None, headers=headers) as answer:
        status = answer.status

    noted = tuple(row[0] for row in await owner.fetch(_NOTED))
    assert (status, noted) == (case.status, case.noted)


def test_every_endpoint_that_changes_something_has_a_case_of_success(
    make_settings: MakeSettings,
) -> None:
    changing = {
        f"{item.method} {item.path.removeprefix(AUTH)}"
        for item in all_endpoints(make_settings())
        if item.documented and item.method != "GET" and item.path.startswith(AUTH)
    }

    assert {case.door for case in CASES if case.status < 300} == changing


async def test_neither_cookies_nor_tokens_of_devices_are_written_down_wherever_they_are_sent(
    serve: Serve, owner: Any, parts: Parts, log: io.StringIO
) -> None:
    origin = "https://auth.example.com"
    api = await serve(public_url=origin)
    chosen = {"X-Auth-Transport": "cookie", "Origin": origin}
    body = new_user(email="canary@example.com")
    kept: SimpleCookie = SimpleCookie()
    secrets: set[str] = set()
    calls: list[tuple[str, Any]] = [
        ("register", body),
        ("login", {"email": "canary@example.com", "password": PASSWORD}),
        ("login", {"email": "canary@example.com", "password": "x"}),
        *[("refresh", None)] * 2,
        *(("verify-email", b"{"), ("nowhere", None), ("logout", None), ("refresh", None)),
    ]

    found = []
    for path, sent in calls:
        device = kept["__Host-ostiary_device"].value if kept else ""
        headers = chosen | {"Cookie": kept.output([], "", "; ").strip(), "X-Device-Token": device}
        content = {"data": sent} if isinstance(sent, bytes) else {"json": sent}
        async with api.post(f"{AUTH}/{path}", headers=headers, **content) as answer:
            found.append(answer.status)
            for line in answer.headers.getall("Set-Cookie", []):
                kept.load(line)
        secrets |= {morsel.value.partition("_")[2] for morsel in kept.values() if morsel.value}

    await settled()
    rows, logged = await everything_kept(owner, parts.redis._client), log.getvalue()
    assert found == [201, 200, 401, 200, 200, 415, 404, 200, 401]
    assert "session.ended" in rows
    assert f"{AUTH}/logout" in logged
    assert len(secrets) >= 5
    assert [secret for secret in secrets if secret in rows + logged] == []
