"""The mailbox of development, the API reference, the page at the root."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.factories import new_user, register
from workers.emails import send_welcome
from workers.toolbox import Tools


async def test_links_point_to_the_public_url_whatever_host_the_request_named(
    api: aiohttp.ClientSession, owner: Any, tools: Tools, tmp_path: Path
) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        assert answer.status == 201
    promise_id = await owner.fetchval("SELECT id FROM outbox")

    await _do(promise_id, tools)

    letter = next((tmp_path / "mail").glob("*.eml")).read_text()
    assert "evil.example" not in letter
    assert "http://localhost:3000/verify-email" in letter


async def test_the_mailbox_shows_letters_and_nothing_else(
    api: aiohttp.ClientSession, home: Path, owner: Any, tools: Tools, tmp_path: Path
) -> None:
    await register(api, firstName="<b>Eve")
    promise_id = await owner.fetchval("SELECT id FROM outbox")
    await _do(promise_id, tools)
    (home / "mail").mkdir(exist_ok=True)
    path = tmp_path / "mail" / f"{promise_id}.eml"
    (home / "mail" / path.name).write_bytes(path.read_bytes())

    async with api.get("/dev/mailbox") as answer:
        assert str(promise_id) in await answer.text()
    async with api.get(f"/dev/mailbox/{promise_id}") as answer:
        page = await answer.text()
    assert "/verify-email?token=ove_" in page
    assert "<b>Eve" not in page
    async with api.get(f"/dev/mailbox/{promise_id}/html") as answer:
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "<b>Eve" not in await answer.text()
    async with api.get(f"/dev/mailbox/{promise_id}/source") as answer:
        assert "Message-ID" in await answer.text()
    for wrong in ("x", "..%2f..%2fkeys", "0" * 36):
        async with api.get(f"/dev/mailbox/{wrong}") as answer:
            assert answer.status == 404


async def test_the_reference_works_offline_under_a_strict_policy(
    api: aiohttp.ClientSession,
) -> None:
    async with api.get("/api/docs") as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "http://" not in page
    assert "https://" not in page
    assert "unsafe" not in policy
    names = ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png")
    for name in names:
        async with api.get(f"/api/docs/static/{name}") as answer:
            assert answer.status == 200
    async with api.get("/api/docs/static/LICENSE") as answer:
        assert answer.status == 404
    async with api.get("/api/docs/openapi.json") as answer:
        document = await answer.json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/auth/register" in document["paths"]
    async with api.get("/api/docs/errors") as answer:
        assert 'id="VALIDATION_ERROR"' in await answer.text()


async def test_the_root_says_where_everything_is(api: aiohttp.ClientSession) -> None:
    async with api.get("/") as answer:
        page = await answer.text()

    for link in ("/api/docs", "/health/ready", "/dev/mailbox"):
        assert link in page
        async with api.get(link) as answer:
            assert answer.status == 200


async def _do(promise_id: Any, tools: Tools) -> None:
    """Do the welcome letter of a promise, as a worker would."""
    from storage.jobs import SendWelcome  # noqa: PLC0415

    async with tools.database.reading() as storage:
        [promise] = await storage.outbox.claim_runs([(promise_id, promise_id)], lease=15)
    await send_welcome(SendWelcome.from_body(promise.body), promise, tools)
