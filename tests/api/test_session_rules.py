"""Small print of sessions and devices: what is over, what is known, what stays when keys change."""

from base64 import b64encode
from typing import Any

import aiohttp
import pytest

from api.auth.presence import Presence
from api.parts import Parts
from ops.metrics import Metrics
from tests.api.test_cookies import CHOSEN, COOKIE, SETTINGS, cookies_of
from tests.api.test_guard import BEHIND_A_PROXY, attempt, via
from tests.api.test_session_list import FIREFOX, is_signed_in, login, sessions_of
from tests.api.test_sessions import refresh
from tests.conftest import Serve
from tests.factories import PASSWORD, SECRET_KEYS, bearer, new_user, register

EVERYBODY_ADMIN = "SELECT users.id, roles.id FROM users, roles WHERE roles.name = 'admin'"
HOME = via(1, "a browser")
ROTATED = f"k2:{b64encode(b'2' * 32).decode()},{SECRET_KEYS}"


async def told_to(api: aiohttp.ClientSession, method: str, path: str, who: Any) -> tuple[int, str]:
    async with api.request(method, f"/api/v1/auth/{path}", headers=bearer(who)) as answer:
        body = await answer.json()
        return answer.status, body.get("message") or body["error"]["code"]


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
    ],
)
async def test_a_parent_gets_nothing_either_when_its_session_is_good_no_longer(
    api: aiohttp.ClientSession, owner: Any, ending: str
) -> None:
    parent = (await register(api))["refreshToken"]
    assert (await refresh(api, parent))[0] == 200
    await owner.execute(ending)

    status, told = await refresh(api, parent)

    assert (status, told["error"]["code"]) == (401, "INVALID_TOKEN")


async def test_a_refresh_moves_a_session_on_to_the_secret_key_that_writes_now(
    serve: Serve, owner: Any
) -> None:
    before, after = await serve(), await serve(secret_keys=ROTATED)
    token = (await register(before))["refreshToken"]

    _, told = await refresh(after, token)

    assert await owner.fetchval("SELECT key_id FROM sessions") == "k2"
    assert told["data"]["refreshToken"].startswith("ort_k2.")
    assert (await refresh(after, told["data"]["refreshToken"]))[0] == 200


async def test_logging_out_of_everything_counts_and_touches_only_what_was_alive(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ended, expired, last = [
        await register(api, email="ada@example.com"),
        await login(api, "ada@example.com"),
        await login(api, "ada@example.com"),
    ]
    await told_to(api, "POST", "logout", ended)
    await let_expire(api, owner, expired)

    status, message = await told_to(api, "POST", "logout-all", last)

    assert (status, message) == (200, "Logged out of 1 sessions")
    reasons = await owner.fetch("SELECT end_reason FROM sessions ORDER BY id")
    assert [row["end_reason"] for row in reasons] == ["logout", None, "logout_all"]


async def test_ending_all_others_counts_and_touches_only_what_was_alive(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ended, expired, _, last = [
        await register(api, email="ada@example.com"),
        *[await login(api, "ada@example.com") for _ in range(3)],
    ]
    await told_to(api, "POST", "logout", ended)
    await let_expire(api, owner, expired)

    status, message = await told_to(api, "DELETE", "sessions", last)

    assert (status, message) == (200, "Ended 1 other sessions")
    reasons = await owner.fetch("SELECT end_reason FROM sessions ORDER BY id")
    assert [row["end_reason"] for row in reasons] == ["logout", None, "ended_by_owner", None]


async def let_expire(api: aiohttp.ClientSession, owner: Any, who: dict[str, Any]) -> str:
    """Let somebody's session lie past its time; return its id."""
    listed = await sessions_of(api, who)
    session_id = next(item["id"] for item in listed if item["current"])
    past = "UPDATE sessions SET expires_at = now() - interval '1 hour' WHERE id = $1"
    await owner.execute(past, session_id)
    return str(session_id)


async def test_what_is_over_is_neither_listed_nor_ended_again(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ended, expired, alive = [
        await register(api, email="ada@example.com"),
        *[await login(api, "ada@example.com") for _ in range(2)],
    ]
    over = [await let_expire(api, owner, expired)]
    over += [item["id"] for item in await sessions_of(api, ended) if item["current"]]
    await told_to(api, "POST", "logout", ended)

    again = [await told_to(api, "DELETE", f"sessions/{session_id}", alive) for session_id in over]

    assert [item["current"] for item in await sessions_of(api, alive)] == [True]
    assert again == [(404, "NOT_FOUND")] * 2
    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'session.ended'"
    assert await owner.fetchval(noted) == 1


async def test_logging_out_twice_by_an_old_cookie_ends_and_notes_once(
    serve: Serve, owner: Any
) -> None:
    api = await serve(public_url="https://auth.example.com")
    chosen = {"X-Auth-Transport": "cookie", "Origin": "https://auth.example.com"}
    signed_in = await register(api)
    cookie = {"Cookie": f"__Host-ostiary_refresh={signed_in['refreshToken']}"}
    await told_to(api, "POST", "logout-all", signed_in)

    async with api.post("/api/v1/auth/logout", headers=chosen | cookie) as answer:
        assert answer.status == 200

    assert await owner.fetchval("SELECT end_reason FROM sessions") == "logout_all"
    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'session.ended'"
    assert await owner.fetchval(noted) == 0


async def test_the_session_used_last_is_listed_first_and_the_one_unused_for_longest_makes_room(
    serve: Serve,
) -> None:
    api = await serve(sessions_per_user="2")
    oldest = await register(api, email="ada@example.com")
    idle = await login(api, "ada@example.com", **{"User-Agent": FIREFOX})
    assert (await refresh(api, oldest["refreshToken"]))[0] == 200
    assert [item["current"] for item in await sessions_of(api, oldest)] == [True, False]

    await login(api, "ada@example.com")

    assert await is_signed_in(api, oldest)
    assert not await is_signed_in(api, idle)


async def test_sessions_that_are_over_take_nobodys_place(serve: Serve, owner: Any) -> None:
    api = await serve(sessions_per_user="2")
    ended, expired, alive = [
        await register(api, email="ada@example.com"),
        *[await login(api, "ada@example.com") for _ in range(2)],
    ]
    assert not await is_signed_in(api, ended)  # the one too many
    await let_expire(api, owner, expired)
    # Over, and yet used later than the one that is alive.
    await owner.execute("UPDATE sessions SET last_used_at = now() + interval '1 minute'")
    current = next(item["id"] for item in await sessions_of(api, alive) if item["current"])
    await owner.execute("UPDATE sessions SET last_used_at = now() WHERE id = $1", current)

    await login(api, "ada@example.com")

    assert await is_signed_in(api, alive)
    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE end_reason = 'limit'") == 1


async def test_cookies_live_as_long_as_what_they_carry(serve: Serve) -> None:
    api = await serve(**SETTINGS, refresh_token_ttl="2d")

    async with api.post("/api/v1/auth/register", json=new_user(), headers=CHOSEN) as answer:
        found = cookies_of(answer)

    assert found[COOKIE]["max-age"] == str(2 * 86_400)
    assert found["__Host-ostiary_device"]["max-age"] == str(180 * 86_400)


async def closed_account(api: aiohttp.ClientSession) -> str:
    """Register ada at home, let strangers close her account; return her device token."""
    async with api.post(
        "/api/v1/auth/register", json=new_user(email="ada@example.com"), headers=HOME
    ) as answer:
        device = (await answer.json())["data"]["deviceToken"]
    for number in range(10, 18):
        await attempt(api, "ada@example.com", **via(number))
    return str(device)


async def test_a_place_is_known_by_its_address_and_its_browser_together(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await closed_account(api)

    for elsewhere in (via(1, "another browser"), via(2, "a browser")):
        assert (await attempt(api, "ada@example.com", PASSWORD, **elsewhere))[0] == 429
    assert (await attempt(api, "ada@example.com", PASSWORD, **HOME))[0] == 200


async def test_the_id_of_a_device_is_worth_nothing_without_its_mac(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    device = await closed_account(api)
    head, _, mac = device.rpartition(".")
    forged = via(3) | {"X-Device-Token": f"{head}.{'A' * len(mac)}"}

    assert (await attempt(api, "ada@example.com", PASSWORD, **forged))[0] == 429
    true = via(3) | {"X-Device-Token": device}
    assert (await attempt(api, "ada@example.com", PASSWORD, **true))[0] == 200


async def test_devices_and_places_stay_known_when_the_secret_key_changes(serve: Serve) -> None:
    before = await serve(**BEHIND_A_PROXY)
    after = await serve(**BEHIND_A_PROXY, secret_keys=ROTATED)
    device = await closed_account(before)
    for number in range(20, 28):
        await attempt(after, "ada@example.com", **via(number))

    # The place first: whoever signs in is known under the new key from then on.
    assert (await attempt(after, "ada@example.com", PASSWORD, **HOME))[0] == 200
    moved = via(4) | {"X-Device-Token": device}
    assert (await attempt(after, "ada@example.com", PASSWORD, **moved))[0] == 200


async def test_a_device_that_signs_in_elsewhere_is_known_by_its_new_place_from_now_on(
    serve: Serve, owner: Any
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    device = await closed_account(api)
    await owner.execute("UPDATE devices SET last_seen_at = now() - interval '100 days'")
    moved = via(5, "a new browser")

    await attempt(api, "ada@example.com", PASSWORD, **moved, **{"X-Device-Token": device})

    assert (await attempt(api, "ada@example.com", PASSWORD, **moved))[0] == 200
    assert (await attempt(api, "ada@example.com", PASSWORD, **HOME))[0] == 429
    assert await owner.fetchval("SELECT last_seen_at > now() - interval '1 hour' FROM devices")


@pytest.mark.parametrize("gone", ["is_active = false", "deleted_at = now()"])
async def test_an_administrator_who_is_gone_does_not_let_the_last_one_leave(
    api: aiohttp.ClientSession, owner: Any, gone: str
) -> None:
    last, other = await register(api), await register(api)
    await owner.execute(f"INSERT INTO user_roles (user_id, role_id) {EVERYBODY_ADMIN}")
    await owner.execute(f"UPDATE users SET {gone} WHERE id = $1", other["user"]["id"])  # noqa: S608

    assert await told_to(api, "DELETE", "me", last) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sessions SET ended_at = now()",
        "UPDATE sessions SET epoch = epoch + 1",
        "UPDATE sessions SET expires_at = expires_at - interval '1 hour'",
        "UPDATE sessions SET authenticated_at = now() - interval '1 hour'",
        "DELETE FROM sessions",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
        "UPDATE users SET email_verified = true",
        "UPDATE users SET plan = 'premium'",
        f"INSERT INTO user_roles (user_id, role_id) {EVERYBODY_ADMIN}",
        "UPDATE user_roles SET role_id = (SELECT id FROM roles WHERE name = 'guest')",
        "DELETE FROM user_roles",
    ],
)
async def test_whatever_changes_what_somebody_may_is_forgotten_by_who_remembers_it(
    api: aiohttp.ClientSession, parts: Parts, owner: Any, change: str
) -> None:
    await register(api)
    session_id = await owner.fetchval("SELECT id FROM sessions")
    presence = Presence(parts.database, Metrics())
    await presence.read()
    await presence.look(session_id)
    assert presence.known(session_id)

    await owner.execute(change)
    await presence.read()

    assert presence.known(session_id) is None
