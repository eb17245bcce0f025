"""What people and administrators do is counted where it was done, once, and nothing else is."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import moved, post, proved
from tests.api.teams import put, remove, team
from tests.conftest import Parts
from tests.factories import PASSWORD, register
from tests.mailroom import Mailroom
from tests.people import Person, admin, call, id_of, person
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


class Counted:
    """How far counters have grown since somebody began to look at them."""

    def __init__(self, parts: Parts, *names: str) -> None:
        self._registry = parts.metrics.registry
        self._names = {f"ostiary_{name}_total" for name in names}
        self._before = self._now()

    def grown(self) -> dict[str, float]:
        """Return by how much, by label, those that did."""
        now = self._now()
        return {
            label: value - self._before.get(label, 0)
            for label, value in now.items()
            if value != self._before.get(label, 0)
        }

    def _now(self) -> dict[str, float]:
        return {
            " ".join(sample.labels.values()): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if sample.name in self._names
        }


async def again(api: aiohttp.ClientSession, who: Person) -> Person:
    """Sign somebody in once more."""
    _, body = await post(api, "login", email=who["user"]["email"], password=PASSWORD)
    return dict(body["data"])


async def test_sessions_that_end_are_counted_by_why(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    ended = Counted(parts, "sessions_revoked")
    first = await register(api)
    second, _, _, last = [await again(api, first) for _ in range(4)]
    _, body = await call(api, second, "GET", "/auth/sessions")
    own = next(item["id"] for item in body["data"] if item["current"])

    await call(api, first, "DELETE", f"/auth/sessions/{own}")
    await call(api, first, "DELETE", f"/auth/sessions/{own}")
    await call(api, last, "DELETE", "/auth/sessions")
    by_cookie = {
        "X-Auth-Transport": "cookie",
        "Origin": parts.settings.base_url,
        "Cookie": f"ostiary_refresh={last['refreshToken']}",
    }
    for _ in range(2):
        assert (await post(api, "logout", headers=by_cookie))[0] == 200
    two = [await again(api, first) for _ in range(2)]
    await post(api, "logout-all", two[0])

    assert ended.grown() == {"ended_by_owner": 1 + 3, "logout": 1, "logout_all": 2}


async def test_refresh_tokens_are_counted_by_what_became_of_them(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    presented, ended = Counted(parts, "token_refreshes"), Counted(parts, "sessions_revoked")
    first = (await register(api))["refreshToken"]

    _, body = await post(api, "refresh", refreshToken=first)
    await post(api, "refresh", refreshToken=first)
    await post(api, "refresh", refreshToken=body["data"]["refreshToken"])
    await post(api, "refresh", refreshToken=first)
    await post(api, "refresh", refreshToken=first)
    await post(api, "refresh", refreshToken=f"{first}x")

    assert presented.grown() == {
        "rotated": 2,
        "repeated": 1,
        "reused": 1,
        "ended": 1,
        "invalid": 1,
    }
    assert ended.grown() == {"reuse": 1}


async def test_what_administrators_decide_about_people_is_counted_when_it_changes_something(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    root, ada = await admin(api, owner), await register(api)
    await again(api, ada)
    changed, ended = Counted(parts, "user_changes"), Counted(parts, "sessions_revoked")
    itself = f"/users/{id_of(ada)}"

    for _ in range(2):
        assert (await call(api, root, "POST", f"{itself}/suspend"))[0] == 200
    for _ in range(2):
        assert (await call(api, root, "POST", f"{itself}/activate"))[0] == 200
    await again(api, ada)
    assert (await call(api, root, "DELETE", itself))[0] == 200
    for _ in range(2):
        assert (await call(api, root, "POST", f"{itself}/restore"))[0] == 200

    assert changed.grown() == {"suspended": 1, "activated": 1, "deleted": 1, "restored": 1}
    assert ended.grown() == {"suspended": 2, "account_deleted": 1}
    noted = "SELECT (facts::jsonb ->> 'sessions_ended')::int FROM audit_inbox WHERE action = $1"
    assert await owner.fetchval(noted, "user.suspended") == 2
    assert await owner.fetchval(noted, "user.deleted") == 1


async def test_changes_of_teams_are_counted(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    root, ada = await admin(api, owner), await person(api, owner)
    changed = Counted(parts, "team_changes")

    made = await team(api, root)
    for name in ("New name", "New name"):
        await call(api, root, "PATCH", f"/teams/{made['id']}", {"name": name})
    for role in ("member", "member", "manager"):
        await put(api, root, made, ada, role)
    for _ in range(2):
        await remove(api, root, made, ada)
        await call(api, root, "DELETE", f"/teams/{made['id']}")

    assert changed.grown() == {
        "created": 1,
        "changed": 1,
        "member_added": 1,
        "member_changed": 1,
        "member_removed": 1,
        "deleted": 1,
    }


async def test_changes_of_roles_are_counted(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    root, ada = await admin(api, owner), await person(api, owner)
    changed = Counted(parts, "role_changes")
    given = f"/users/{id_of(ada)}/roles/auditor"

    await call(api, root, "POST", "/roles", {"name": "auditor", "rank": 200})
    for _ in range(2):
        await call(api, root, "PATCH", "/roles/auditor", {"rank": 100})
    for method in ("PUT", "DELETE"):
        await call(api, root, method, given)
        await call(api, root, method, given)
    for _ in range(2):
        await call(api, root, "DELETE", "/roles/auditor")

    assert changed.grown() == dict.fromkeys(("created", "changed", "given", "taken", "deleted"), 1)


async def test_a_change_of_address_is_counted_by_how_far_it_came(
    api: aiohttp.ClientSession, parts: Parts, mailroom: Mailroom
) -> None:
    mine = await proved(api, mailroom)
    stages, ended = Counted(parts, "email_changes"), Counted(parts, "sessions_revoked")

    token = await moved(api, mailroom, mine)
    for _ in range(2):
        await post(api, "undo-email-change", token=token)

    assert stages.grown() == dict.fromkeys(("requested", "confirmed", "undone", "undo_refused"), 1)
    assert ended.grown() == {"email_undone": 1}


async def test_passwords_asked_for_again_are_counted(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    ada, asked = await register(api), Counted(parts, "step_ups")

    await post(api, "step-up", ada, password=PASSWORD)
    await post(api, "step-up", ada, password="Wrong-Horse-9")

    assert asked.grown() == {"passed": 1, "refused": 1}
