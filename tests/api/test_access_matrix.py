"""Who may call what, walked: every route of the matrix as every kind of caller."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest

from api.app import all_endpoints
from api.routing import Endpoint
from ops.ids import new_id
from ops.settings import Settings
from storage.roles import BuiltInRole
from tests.api.matrix import BODIES, KINDS, MATRIX, OPS, OWN, PUBLIC, RECENT, SIGNED_IN, VERIFIED
from tests.api.matrix import expected as expected_of
from tests.conftest import MakeSettings, Serve
from tests.factories import OPS_TOKEN, bearer, new_user, register
from tests.people import Person, call, id_of, person

SESSION = [route for route, access in OWN.items() if access in {SIGNED_IN, RECENT}]
EVERY_SIGNED_IN = [*SESSION, *MATRIX]

_SCENE = """
WITH somebody AS (
    INSERT INTO users (id, email, first_name, last_name, email_verified)
    VALUES ($1, $2, 'Some', 'Body', true) ON CONFLICT (id) DO NOTHING RETURNING id
), held AS (
    INSERT INTO user_roles (user_id, role_id)
    SELECT somebody.id, roles.id FROM somebody, roles WHERE roles.name = 'user'
), gone AS (
    INSERT INTO users (id, email, first_name, last_name, deleted_at)
    VALUES ($3, 'gone-' || $2, 'Gone', 'Body', now())
), team AS (
    INSERT INTO teams (id, name) VALUES ($4, 'Team ' || $9::text)
), members AS (
    INSERT INTO team_members (team_id, user_id, role)
    VALUES ($4, $1, 'member'), ($4, $5, 'manager')
), pieces AS (
    INSERT INTO content (id, owner_id, title, status)
    VALUES ($6, $1, 'Published', 'published'), ($7, $1, 'Draft', 'draft')
), message AS (
    INSERT INTO quarantine (id, queue, reason, size, head) VALUES ($10, 'emails', 'x', 1, 'x')
), dead_job AS (
    INSERT INTO outbox (id, queue, name, body, state, finished_at)
    VALUES ($11, 'emails', 'emails.welcome', '{}', 'dead', now())
), event AS (
    INSERT INTO audit_inbox (id, action, outcome, actor_kind, happened_at)
    VALUES ($12, 'user.created', 'success', 'system', now())
)
INSERT INTO roles (id, name, rank) VALUES ($8, 'role-' || $9::text, 50)
"""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a request is about: ids by the names of the matrix."""

    ids: Mapping[str, Any]

    def path(self, route: str) -> str:
        """Return the path of a route about this scene."""
        return re.sub(r"\{(\w+)\}", lambda found: str(self.ids[found[1]]), route.split()[1])


async def new_scene(owner: Any, *, manager: Any, somebody: Any = None) -> Scene:
    """Make objects that no request has touched; they are `somebody`'s, or a new person's."""
    number = next(_numbers)
    names = ("user", "gone", "team", "content", "draft", "role", "message", "job", "event")
    ids = {name: new_id() for name in names}
    ids["user"] = somebody or ids["user"]
    await owner.execute(
        _SCENE, ids["user"], f"matrix{number}@example.com", ids["gone"], ids["team"], manager,
        ids["content"], ids["draft"], ids["role"], str(number), ids["message"], ids["job"],
        ids["event"],
    )  # fmt: skip
    return Scene({**ids, "queue": "emails", "task": "maintenance.statistics"})


def new_body(route: str) -> Any:
    """Return the body of a request that is right, and names nothing that is taken."""
    number = next(_numbers)
    fresh = {
        "POST /users": new_user(),
        "POST /roles": {"name": f"made-{number}", "rank": 10, "permissions": []},
        "PUT /roles/{role}": {"name": f"changed-{number}", "rank": 10, "permissions": []},
        "POST /teams": {"name": f"Made {number}"},
    }
    return fresh.get(route, BODIES.get(route))


async def caller_of(api: aiohttp.ClientSession, owner: Any, kind: str) -> Person | None:
    """Register the caller of a column."""
    roles = {
        "anonymous": None,
        "guest": BuiltInRole.GUEST,
        "manager out": BuiltInRole.MANAGER,
        "manager in": BuiltInRole.MANAGER,
        "admin": BuiltInRole.ADMIN,
    }
    role = roles.get(kind, BuiltInRole.USER)
    return await person(api, owner, role) if role else None


def named(endpoint: Endpoint) -> str:
    """Return an endpoint as the rows of both tables name it."""
    return f"{endpoint.method} {endpoint.path.removeprefix('/api/v1')}"


def shape(route: str) -> str:
    """Return a route with its parameters alike: `{user}` and `{id}` are one place."""
    method, path = route.split()
    return method + " " + re.sub(r"\{\w+\}", "{}", path.replace("/roles/user", "/roles/{}"))


async def refused(api: aiohttp.ClientSession, route: str, headers: Mapping[str, str]) -> int:
    """Call a route about nothing with an empty body; return the status."""
    method, path = route.split()
    path = re.sub(r"\{\w+\}", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3", path)
    if not path.startswith(("/health", "/ops", "/.well-known")):
        path = f"/api/v1{path}"
    body: Any = {} if method in {"POST", "PUT", "PATCH"} else None
    async with api.request(method, path, json=body, headers=dict(headers)) as answer:
        return answer.status


def test_every_documented_route_has_a_row(make_settings: MakeSettings) -> None:
    settings: Settings = make_settings()

    documented = {shape(named(item)) for item in all_endpoints(settings) if item.documented}

    assert documented == {shape(route) for route in (*OWN, *MATRIX)}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_caller_gets_exactly_what_the_matrix_says(
    serve: Serve, owner: Any, kind: str
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    caller = await caller_of(api, owner, kind)
    manager = caller if kind == "manager in" else await person(api, owner, BuiltInRole.MANAGER)
    await person(api, owner, BuiltInRole.ADMIN)  # never the last one who leaves
    wrong = []
    assert manager

    for route in MATRIX:
        somebody = id_of(caller) if kind == "self" and caller else None
        about = await new_scene(owner, manager=id_of(manager), somebody=somebody)
        method = route.split()[0]
        status, told = await call(api, caller, method, about.path(route), new_body(route))
        if status != expected_of(route)[kind]:
            wrong.append(f"{route}: {status}, not {expected_of(route)[kind]}: {told}")

    assert wrong == [], "\n".join(wrong)


async def test_an_id_one_may_not_see_is_answered_like_one_that_nobody_has(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    other = await person(api, owner)
    manager = await person(api, owner, BuiltInRole.MANAGER)
    hidden = [route for route in MATRIX if expected_of(route)["other"] == 404]

    for route in hidden:
        about = await new_scene(owner, manager=id_of(manager))
        nothing = Scene(dict.fromkeys(about.ids, new_id()))
        nonsense = Scene(dict.fromkeys(about.ids, "no-id"))
        hidden_one, no_one, no_id = [
            await call(api, other, route.split()[0], place.path(route), new_body(route))
            for place in (about, nothing, nonsense)
        ]
        assert hidden_one[1]["error"] == no_one[1]["error"], route
        assert {hidden_one[0], no_one[0], no_id[0]} == {404}, route

    assert len(hidden) > 10


async def test_whose_address_is_not_proved_gets_no_further_where_it_must_be(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    caller = await person(api, owner, BuiltInRole.ADMIN)
    await owner.execute("UPDATE users SET email_verified = false WHERE id = $1", id_of(caller))
    found = set()

    for route in MATRIX:
        about = await new_scene(owner, manager=id_of(caller))
        status, told = await call(api, caller, route.split()[0], about.path(route), new_body(route))
        if status == 403:
            assert told["error"]["code"] == "EMAIL_NOT_VERIFIED"
            found.add(route)

    assert found == VERIFIED


async def test_strangers_get_no_further_than_public_routes(api: aiohttp.ClientSession) -> None:
    found = {route: await refused(api, route, {}) for route in OWN}

    for route, access in OWN.items():
        assert (found[route] == 401) == (access is not PUBLIC), (route, found[route])


@pytest.mark.parametrize("kind", ["refreshToken", "deviceToken", "nothing", "ops"])
async def test_no_other_kind_of_token_stands_for_an_access_token(serve: Serve, kind: str) -> None:
    api = await serve(rate_limit_anonymous="off")
    who = await register(api) | {"nothing": "", "ops": OPS_TOKEN}
    headers = bearer({"accessToken": who[kind]})

    found = {route: await refused(api, route, headers) for route in EVERY_SIGNED_IN}

    assert set(found.values()) == {401}, found


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
        "UPDATE sessions SET ended_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE sessions SET epoch = epoch + 1",
        "DELETE FROM sessions",
    ],
)
async def test_whoever_may_not_go_on_gets_no_further_than_strangers_within_a_second(
    serve: Serve, owner: Any, change: str
) -> None:
    api = await serve(rate_limit_anonymous="off")
    who = await register(api)
    assert await refused(api, "GET /auth/me", bearer(who)) == 200

    await owner.execute(change)
    await asyncio.sleep(1)

    found = {route: await refused(api, route, bearer(who)) for route in EVERY_SIGNED_IN}
    assert set(found.values()) == {401}, found


async def test_an_old_sign_in_is_asked_again_where_it_must_be_recent(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 day'")

    found = {
        route: await refused(api, route, bearer(who))
        for route, access in OWN.items()
        if access is RECENT
    }

    assert set(found.values()) == {403}, found
    assert await owner.fetchval("SELECT count(*) FROM users WHERE deleted_at IS NULL") == 1


async def test_the_operators_token_is_for_operators_alone(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="off")
    who = await register(api)

    as_user = {
        route: await refused(api, route, bearer(who))
        for route, access in OWN.items()
        if access is OPS
    }

    assert set(as_user.values()) == {401}, as_user
