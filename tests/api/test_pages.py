"""Pages for people: set-up, verification, the mailbox, the API reference."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from api.parts import Parts
from api.passwords.policy import PasswordPolicy
from api.setup.command import ensure_admin
from api.setup.service import SetupService
from ops.errors import Unavailable
from ops.settings import SecurityProfile
from storage.actor import SYSTEM
from storage.tokens import TokenKind, derived, digest
from tests.conftest import MakeSettings
from tests.factories import PASSWORD, register
from tests.people import admin


@pytest.fixture
async def setup_token(parts: Parts, clean: None) -> str:
    service = SetupService(
        database=parts.database,
        hasher=parts.hasher,
        policy=PasswordPolicy(SecurityProfile.SEED),
        keys=parts.keys,
    )
    return await service.new_link_token()


async def offer_verification(parts: Parts, signed_in: dict[str, Any]) -> tuple[str, str]:
    """Do what the letter's actor does; return the letter's token and code."""
    async with parts.database.transaction(SYSTEM) as storage:
        from uuid import UUID  # noqa: PLC0415

        from ops.ids import new_id  # noqa: PLC0415

        user = await storage.users.by_id(UUID(signed_in["user"]["id"]))
        kind, token_id = TokenKind.EMAIL_VERIFICATION, new_id()
        secret = derived(kind, parts.keys, token_id, user.email, user.credential_version)
        await storage.email_verifications.offer(
            token_id,
            user_id=user.id,
            email=user.email,
            token_mac=digest(parts.keys, kind, secret.token),
            code_mac=digest(parts.keys, kind, secret.code),
            seconds=3_600,
        )
    return secret.token, secret.code


def _admin_form(token: str, **changes: str) -> dict[str, str]:
    return {
        "token": token,
        "firstName": "Grace",
        "lastName": "Hopper",
        "email": "grace@example.com",
        "password": PASSWORD,
    } | changes


async def test_the_set_up_link_makes_one_admin_who_can_sign_in(
    api: aiohttp.ClientSession, setup_token: str, owner: Any
) -> None:
    async with api.get("/setup", params={"token": setup_token}) as answer:
        page = await answer.text()
    assert answer.status == 200
    assert "<form" in page
    assert "<script" not in page

    async with api.post("/setup", data=_admin_form(setup_token)) as answer:
        assert answer.status == 200
        assert "first administrator" in await answer.text()

    credentials = {"email": "grace@example.com", "password": PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        made = (await answer.json())["data"]["user"]
    assert (made["role"], made["emailVerified"]) == ("admin", True)
    async with api.post("/setup", data=_admin_form(setup_token, email="x@example.com")) as answer:
        assert answer.status == 403
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_a_mistake_in_the_form_keeps_what_was_typed_and_the_link(
    api: aiohttp.ClientSession, setup_token: str
) -> None:
    form = _admin_form(setup_token, password="weak", firstName='"><b>x')
    async with api.post("/setup", data=form) as answer:
        page = await answer.text()

    assert answer.status == 400
    assert "at least 8 characters" in page
    assert "grace@example.com" in page
    assert "<b>x" not in page
    assert "weak" not in page
    async with api.post("/setup", data=_admin_form(setup_token)) as answer:
        assert answer.status == 200


async def test_twenty_uses_of_one_link_make_one_admin(
    api: aiohttp.ClientSession, setup_token: str, owner: Any
) -> None:
    async def attempt(number: int) -> int:
        form = _admin_form(setup_token, email=f"admin{number}@example.com")
        async with api.post("/setup", data=form) as answer:
            return answer.status

    statuses = await asyncio.gather(*(attempt(number) for number in range(20)))

    assert statuses.count(200) == 1
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_links_that_are_old_replaced_or_invented_are_closed(
    api: aiohttp.ClientSession, parts: Parts, setup_token: str, owner: Any
) -> None:
    service = SetupService(
        database=parts.database,
        hasher=parts.hasher,
        policy=PasswordPolicy(SecurityProfile.SEED),
        keys=parts.keys,
    )
    newer = await service.new_link_token()
    for token in (setup_token, "", "osu_invented", "x" * 5_000):
        async with api.get("/setup", params={"token": token}) as answer:
            assert answer.status == 403
    await owner.execute("UPDATE setup_tokens SET expires_at = now()")

    async with api.post("/setup", data=_admin_form(newer)) as answer:
        assert answer.status == 403
    assert await owner.fetchval("SELECT count(*) FROM users") == 0


async def test_a_set_up_link_is_good_for_half_an_hour(setup_token: str, owner: Any) -> None:
    left = "SELECT extract(epoch FROM expires_at - now())::float8 FROM setup_tokens"

    assert 1_800 - 60 < await owner.fetchval(left) <= 1_800


async def test_of_processes_that_start_at_once_with_other_settings_one_makes_an_admin(
    clean: None, make_settings: MakeSettings, owner: Any
) -> None:
    every = [
        make_settings(admin_email=f"root{number}@example.com", admin_password=PASSWORD)
        for number in range(5)
    ]

    found = await asyncio.gather(*(ensure_admin(settings) for settings in every))

    assert sorted(item["state"] for item in found) == ["created"] + ["exists"] * 4
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_the_settings_make_an_admin_once_and_never_change_one(
    clean: None, make_settings: MakeSettings, owner: Any
) -> None:
    settings = make_settings(admin_email="Root@Example.com", admin_password=PASSWORD)

    first = await ensure_admin(settings)
    other = make_settings(admin_email="other@example.com", admin_password="Other-Horse-9")
    second = await ensure_admin(other)

    assert (first["ok"], first["state"]) == (True, "created")
    assert (second["ok"], second["state"]) == (True, "exists")
    rows = await owner.fetch("SELECT email FROM users")
    assert [row["email"] for row in rows] == ["root@example.com"]


async def test_who_may_wait_for_the_tables_gets_a_link_when_they_are_free(
    clean: None, make_settings: MakeSettings, owner: Any
) -> None:
    settings = make_settings()
    held = owner.transaction()
    await held.start()
    await owner.execute("LOCK TABLE user_roles")

    waiting = asyncio.create_task(ensure_admin(settings, wait_seconds=30))
    with pytest.raises(Unavailable):
        await ensure_admin(settings)
    await held.rollback()

    assert (await waiting)["state"] == "link"


async def test_a_weak_admin_password_is_refused_with_its_reason(
    clean: None, make_settings: MakeSettings, owner: Any
) -> None:
    found = await ensure_admin(make_settings(admin_email="a@example.com", admin_password="weak"))

    assert found["ok"] is False
    assert "at least 8 characters" in found["text"]
    assert await owner.fetchval("SELECT count(*) FROM users") == 0


async def test_without_an_admin_there_is_a_link_that_works(
    api: aiohttp.ClientSession, make_settings: MakeSettings
) -> None:
    found = await ensure_admin(make_settings(public_url="https://auth.example.com"))

    link = urlsplit(found["link"])
    assert link.netloc == "auth.example.com"
    async with api.get(link.path, params=parse_qs(link.query)) as answer:
        assert answer.status == 200


async def test_opening_the_link_of_a_letter_changes_nothing_pressing_the_button_does(
    api: aiohttp.ClientSession, parts: Parts, owner: Any
) -> None:
    token, _ = await offer_verification(parts, await register(api))
    for _ in range(3):
        async with api.get("/verify-email", params={"token": token}) as answer:
            assert answer.status == 200
    assert await owner.fetchval("SELECT email_verified FROM users") is False

    async with api.post("/verify-email", data={"token": token}) as answer:
        assert answer.status == 200

    assert await owner.fetchval("SELECT email_verified FROM users") is True
    async with api.post("/verify-email", data={"token": token}) as answer:
        assert answer.status == 400


async def test_a_code_verifies_and_is_used_up(
    api: aiohttp.ClientSession, parts: Parts, owner: Any
) -> None:
    signed_in = await register(api)
    _, code = await offer_verification(parts, signed_in)
    body = {"email": signed_in["user"]["email"], "code": code}

    async with api.post("/api/v1/auth/verify-email", json=body) as answer:
        assert answer.status == 200
    async with api.post("/api/v1/auth/verify-email", json=body) as answer:
        assert answer.status == 400

    actions = await owner.fetch("SELECT action FROM audit_inbox")
    assert [row["action"] for row in actions].count("user.email_verified") == 1


async def test_five_wrong_codes_at_once_or_not_make_the_letter_worthless(
    api: aiohttp.ClientSession, parts: Parts, owner: Any
) -> None:
    signed_in = await register(api)
    token, code = await offer_verification(parts, signed_in)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"

    async def guess(attempt: str) -> int:
        body = {"email": signed_in["user"]["email"], "code": attempt}
        async with api.post("/api/v1/auth/verify-email", json=body) as answer:
            return answer.status

    statuses = await asyncio.gather(*(guess(wrong) for _ in range(20)))

    assert set(statuses) == {400}
    assert await owner.fetchval("SELECT wrong_codes FROM email_verification_tokens") == 5
    assert await guess(code) == 400
    async with api.post("/api/v1/auth/verify-email", json={"token": token}) as answer:
        assert answer.status == 200  # whoever has the letter still has its link


async def test_twenty_uses_of_one_token_verify_once(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    token, _ = await offer_verification(parts, await register(api))

    async def attempt() -> int:
        async with api.post("/api/v1/auth/verify-email", json={"token": token}) as answer:
            return answer.status

    statuses = await asyncio.gather(*(attempt() for _ in range(20)))

    assert sorted(statuses) == [200] + [400] * 19


async def test_a_newer_letter_makes_the_older_one_worthless(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    signed_in = await register(api)
    older, _ = await offer_verification(parts, signed_in)
    newer, _ = await offer_verification(parts, signed_in)

    async with api.post("/api/v1/auth/verify-email", json={"token": older}) as answer:
        assert answer.status == 400
    async with api.post("/api/v1/auth/verify-email", json={"token": newer}) as answer:
        assert answer.status == 200


async def test_a_good_link_is_closed_once_there_is_an_administrator(
    api: aiohttp.ClientSession, setup_token: str, owner: Any
) -> None:
    await admin(api, owner)

    async with api.get("/setup", params={"token": setup_token}) as answer:
        assert answer.status == 403
    async with api.post("/setup", data=_admin_form(setup_token)) as answer:
        assert answer.status == 403
    assert await owner.fetchval("SELECT count(*) FROM users") == 1
