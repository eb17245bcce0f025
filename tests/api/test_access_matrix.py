"""Who may call what: one row a route, walked as every kind of caller (SECURITY C10)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from api.app import all_endpoints
from api.routing import Endpoint
from ops.settings import Settings
from tests.conftest import MakeSettings, Serve
from tests.factories import OPS_TOKEN, bearer, register

PUBLIC, SIGNED_IN, RECENT, OPS = "public", "signed in", "signed in recently", "operator"

MATRIX = {
    "POST /api/v1/auth/register": PUBLIC,
    "POST /api/v1/auth/login": PUBLIC,
    "POST /api/v1/auth/refresh": PUBLIC,
    "POST /api/v1/auth/logout": SIGNED_IN,
    "POST /api/v1/auth/logout-all": SIGNED_IN,
    "GET /api/v1/auth/me": SIGNED_IN,
    "DELETE /api/v1/auth/me": RECENT,
    "POST /api/v1/auth/step-up": SIGNED_IN,
    "GET /api/v1/auth/sessions": SIGNED_IN,
    "DELETE /api/v1/auth/sessions": SIGNED_IN,
    "DELETE /api/v1/auth/sessions/{id}": SIGNED_IN,
    "POST /api/v1/auth/forgot-password": PUBLIC,
    "POST /api/v1/auth/reset-password": PUBLIC,
    "POST /api/v1/auth/change-password": SIGNED_IN,
    "POST /api/v1/auth/verify-email": PUBLIC,
    "POST /api/v1/auth/resend-verification": PUBLIC,
    "POST /api/v1/auth/change-email": SIGNED_IN,
    "POST /api/v1/auth/confirm-email": PUBLIC,
    "POST /api/v1/auth/undo-email-change": PUBLIC,
    "GET /.well-known/jwks.json": PUBLIC,
    "GET /health": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /ops/prometheus/targets": OPS,
}
SESSION = [route for route, access in MATRIX.items() if access in {SIGNED_IN, RECENT}]


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


async def called(api: aiohttp.ClientSession, route: str, headers: Mapping[str, str]) -> int:
    """Call a route with an empty body; return the status."""
    method, path = route.split()
    path = path.replace("{id}", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3")
    body: Any = {} if method == "POST" else None
    async with api.request(method, path, json=body, headers=dict(headers)) as answer:
        return answer.status


def test_every_documented_route_has_a_row(make_settings: MakeSettings) -> None:
    settings: Settings = make_settings()

    documented = {named(item) for item in all_endpoints(settings) if item.documented}

    assert documented == set(MATRIX)


async def test_strangers_get_no_further_than_public_routes(api: aiohttp.ClientSession) -> None:
    found = {route: await called(api, route, {}) for route in MATRIX}

    for route, access in MATRIX.items():
        assert (found[route] == 401) == (access is not PUBLIC), (route, found[route])


@pytest.mark.parametrize("kind", ["refreshToken", "deviceToken", "nothing", "ops"])
async def test_no_other_kind_of_token_stands_for_an_access_token(
    api: aiohttp.ClientSession, kind: str
) -> None:
    who = await register(api) | {"nothing": "", "ops": OPS_TOKEN}
    headers = bearer({"accessToken": who[kind]})

    found = {route: await called(api, route, headers) for route in SESSION}

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
    api: aiohttp.ClientSession, owner: Any, change: str
) -> None:
    who = await register(api)
    assert await called(api, "GET /api/v1/auth/me", bearer(who)) == 200

    await owner.execute(change)
    await asyncio.sleep(1)

    found = {route: await called(api, route, bearer(who)) for route in SESSION}
    assert set(found.values()) == {401}, found


async def test_an_old_sign_in_is_asked_again_where_it_must_be_recent(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 day'")

    found = {
        route: await called(api, route, bearer(who))
        for route, access in MATRIX.items()
        if access is RECENT
    }

    assert set(found.values()) == {403}, found
    assert await owner.fetchval("SELECT count(*) FROM users WHERE deleted_at IS NULL") == 1


async def test_the_operators_token_is_for_operators_alone(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="off")
    who = await register(api)

    as_user = {
        route: await called(api, route, bearer(who))
        for route, access in MATRIX.items()
        if access is OPS
    }

    assert set(as_user.values()) == {401}, as_user
