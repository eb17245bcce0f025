"""What requests cost in round trips, counted on the wires: no request may cost more unnoticed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import pytest

from api.parts import open_parts
from storage.roles import BuiltInRole
from tests.api.pieces import write
from tests.api.teams import put, team
from tests.budget import Ask, budget, check
from tests.conftest import MakeSettings, _serving
from tests.factories import CHEAP, PASSWORD, new_user
from tests.people import Person, admin, call, id_of, person
from tests.wire import Wires, wires

# As good as none, and counted all the same.
_HIGH = "1000000/1h"
_LIMITS = {
    "rate_limit_anonymous": _HIGH,
    "rate_limit_authenticated": _HIGH,
    "rate_limit_auth_failures": _HIGH,
}
# Of whatever is listed: a statement for each would be seen.
_MANY = 4
_PUBLISHED = {"title": "Notes", "status": "published"}
_USER, _ADMIN = BuiltInRole.USER, BuiltInRole.ADMIN

# Requests of somebody signed in: who they are, what they ask. `{id}` is their own.
_SIGNED_IN: dict[str, tuple[str, str, Any]] = {
    "GET /auth/me": (_USER, "/auth/me", None),
    "GET /auth/sessions": (_USER, "/auth/sessions", None),
    "GET /users/{id}, own": (_USER, "/users/{id}", None),
    "GET /users/{id}, another's": (_ADMIN, "/users/{other}", None),
    "GET /users, by cursor": (_ADMIN, "/users?cursor=", None),
    "GET /users, by page": (_ADMIN, "/users?page=1", None),
    "GET /users, search": (_ADMIN, "/users?search=lovelace", None),
    "GET /users, of a role": (_ADMIN, "/users?filter[role]=user", None),
    "GET /users/{id}/profile, own": (_USER, "/users/{id}/profile", None),
    "PATCH /users/{id}, own name": (_USER, "/users/{id}", {"firstName": "Grace"}),
    "PUT /users/{id}/profile, own": (_USER, "/users/{id}/profile", {"bio": "Numbers"}),
    "GET /content": (_USER, "/content", None),
    "GET /content/{id}": (_USER, "/content/{content}", None),
    "POST /content": (_USER, "/content", {"title": "Notes"}),
    "GET /roles": (_ADMIN, "/roles", None),
    "GET /teams": (_ADMIN, "/teams", None),
    "GET /audit": (_ADMIN, "/audit", None),
}
_STRANGERS = {
    "GET /health": "/health",
    "GET /health/ready": "/health/ready",
    "GET /.well-known/jwks.json": "/.well-known/jwks.json",
}


@dataclass(slots=True)
class Scene:
    """A web process behind the wires, and what people ask of it."""

    api: aiohttp.ClientSession
    owner: Any
    wires: Wires
    # There since before, beside others of its kind.
    other: Person
    content: str

    async def person(self, role: str = _USER) -> Person:
        """Register somebody whose session the process has not seen."""
        who = await person(self.api, self.owner, role)
        # What was changed lately is forgotten every 400 ms, and nothing would stay warm.
        await self.owner.execute("DELETE FROM revocations")
        return who

    async def asking(self, name: str, state: str) -> Ask:
        """Ask as somebody signed in, whose session the process has seen (warm) or not (cold)."""
        role, path, body = _SIGNED_IN[name]
        who = await self.person(role)
        places = {"id": id_of(who), "other": id_of(self.other), "content": self.content}
        if path == "/auth/sessions":
            for _ in range(_MANY):
                await _login_of(self, who)()
        method = name.partition(" ")[0]

        async def ask() -> None:
            status, told = await call(self.api, who, method, path.format(**places), body)
            assert status in {200, 201}, told

        if state == "warm":
            await call(self.api, who, "GET", "/auth/me")
        return ask

    async def post(self, path: str, body: Any, expected: int = 200, **headers: str) -> None:
        """Post something without a token."""
        status, told = await call(self.api, None, "POST", path, body, **headers)
        assert status == expected, told

    async def get(self, path: str) -> None:
        """Get something outside of /api."""
        async with self.api.get(path) as answer:
            await answer.read()
            assert answer.status == 200


@pytest.fixture(scope="module")
async def scene(make_settings: MakeSettings, migrated: None, owner: Any) -> AsyncIterator[Scene]:
    async with wires(make_settings()) as between:
        settings = make_settings(**between.settings, **_LIMITS)
        async with (
            open_parts(settings, name="test", cost=CHEAP) as parts,
            _serving(parts) as url,
            aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as client,
        ):
            boss = await admin(client, owner)
            for _ in range(_MANY):
                other, piece = await person(client, owner), await write(client, boss, **_PUBLISHED)
                await put(client, boss, await team(client, boss), other)
            yield Scene(client, owner, between, other, piece["id"])


@pytest.mark.parametrize("name", _SIGNED_IN)
@pytest.mark.parametrize("state", ["cold", "warm"])
async def test_requests_of_who_is_signed_in_cost_what_is_written(
    scene: Scene, name: str, state: str
) -> None:
    await check((name, state), scene.wires, partial(scene.asking, name, state))


@pytest.mark.parametrize("name", _STRANGERS)
async def test_requests_of_nobody_cost_what_is_written(scene: Scene, name: str) -> None:
    async def arrange() -> Ask:
        return partial(scene.get, _STRANGERS[name])

    await check((name, "-"), scene.wires, arrange)


async def _sign_up(scene: Scene) -> Ask:
    return partial(scene.post, "/auth/register", new_user(), 201)


async def _login(scene: Scene) -> partial[Awaitable[None]]:
    return _login_of(scene, await scene.person())


def _login_of(scene: Scene, who: Person) -> partial[Awaitable[None]]:
    given = {"email": who["user"]["email"], "password": PASSWORD}
    return partial(scene.post, "/auth/login", given)


async def _login_elsewhere(scene: Scene) -> Ask:
    return partial(await _login(scene), User_Agent="Another/1.0")


async def _wrong_password(scene: Scene) -> Ask:
    who = await scene.person()
    given = {"email": who["user"]["email"], "password": "Wrong-Horse-9"}
    return partial(scene.post, "/auth/login", given, 401)


async def _refresh(scene: Scene) -> Ask:
    who = await scene.person()
    return partial(scene.post, "/auth/refresh", {"refreshToken": who["refreshToken"]})


async def _forgot_password(scene: Scene) -> Ask:
    who = await scene.person()
    return partial(scene.post, "/auth/forgot-password", {"email": who["user"]["email"]})


async def _logout(scene: Scene) -> Ask:
    who = await scene.person()

    async def ask() -> None:
        assert (await call(scene.api, who, "POST", "/auth/logout"))[0] == 200

    return ask


_ENTRANCES: dict[str, Callable[[Scene], Awaitable[Ask]]] = {
    "POST /auth/register": _sign_up,
    "POST /auth/login": _login,
    "POST /auth/login, a new device": _login_elsewhere,
    "POST /auth/login, wrong password": _wrong_password,
    "POST /auth/refresh": _refresh,
    "POST /auth/logout": _logout,
    "POST /auth/forgot-password": _forgot_password,
}


@pytest.mark.parametrize("name", _ENTRANCES)
async def test_ways_in_and_out_cost_what_is_written(scene: Scene, name: str) -> None:
    await check((name, "-"), scene.wires, partial(_ENTRANCES[name], scene))


def test_every_request_of_the_page_is_counted() -> None:
    requests = {name for name, _ in budget() if name.split()[0] in {"GET", "POST", "PATCH", "PUT"}}

    assert requests == {*_SIGNED_IN, *_STRANGERS, *_ENTRANCES}
