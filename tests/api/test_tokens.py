"""Access tokens: ours verify, every other one is refused, whatever it says about itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from multidict import CIMultiDict

from api.auth.signing import SigningRing
from api.auth.tokens import Tokens
from api.parts import Parts
from api.problems import InvalidToken
from ops.metrics import Metrics
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.tokens import TokenKind, new_token
from tests.api.forgery import Model, by_a_thief, by_strangers, twin
from tests.conftest import MakeSettings, Serve
from tests.factories import bearer, register
from tests.own_database import OwnDatabase, own_database

ME = "/api/v1/auth/me"
MEMBERS = {
    "EdDSA": {"kty", "crv", "alg", "use", "kid", "x"},
    "ES256": {"kty", "crv", "alg", "use", "kid", "x", "y"},
    "RS256": {"kty", "alg", "use", "kid", "n", "e"},
}


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_tokens") as made:
        yield made


@pytest.fixture(params=list(TokenAlgorithm))
async def signed(
    request: pytest.FixtureRequest, room: OwnDatabase, serve: Serve, make_settings: MakeSettings
) -> AsyncIterator[tuple[aiohttp.ClientSession, Model, dict[str, Any]]]:
    """Serve with one algorithm; give the client, a good token, and what the sign-in told."""
    await room.empty()
    api = await serve(**room.urls, token_algorithm=request.param, rate_limit_anonymous="off")
    signed_in = await register(api)
    settings = make_settings(**room.urls)
    database = await Database.open(
        settings.database_url, keys=settings.keyring, metrics=Metrics(), name="keys"
    )
    async with database.reading() as storage:
        (key,) = await storage.signing_keys.all()
    (jwk,) = await key_set(api)
    yield api, Model(signed_in["accessToken"], key, jwk), signed_in
    await database.close()


async def key_set(api: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Return the published keys."""
    async with api.get("/.well-known/jwks.json") as answer:
        return list((await answer.json())["keys"])


async def ask(api: aiohttp.ClientSession, token: str) -> tuple[int, str | None]:
    """Present a token; return the status and, if any, the code of the error."""
    # As bytes: not every character of a forged token is one a header may hold.
    headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    async with api.get(ME, headers=headers) as answer:
        body = await answer.json()
        return answer.status, body.get("error", {}).get("code")


Signed = tuple[aiohttp.ClientSession, Model, dict[str, Any]]


async def test_the_key_set_verifies_our_tokens_and_holds_no_private_half(signed: Signed) -> None:
    api, model, signed_in = signed

    (jwk,) = await key_set(api)

    assert set(jwk) == MEMBERS[jwk["alg"]]
    assert (jwk["use"], jwk["kid"]) == ("sig", model.key.id)
    assert model.header == {"alg": jwk["alg"], "kid": jwk["kid"], "typ": "at+jwt"}
    found = jwt.PyJWKSet.from_dict({"keys": [jwk]})[model.header["kid"]]
    facts = jwt.decode(model.token, found, algorithms=[jwk["alg"]], audience="ostiary")
    assert facts["sub"] == signed_in["user"]["id"]
    assert facts["exp"] - facts["iat"] == 900
    assert "email" not in facts


async def test_forged_tokens_are_refused_whatever_they_say(signed: Signed) -> None:
    api, model, _ = signed
    forged = by_strangers(model)

    found = {wrong: await ask(api, token) for wrong, token in forged.items()}

    assert len(forged) > 100
    assert {wrong: told for wrong, told in found.items() if told != (401, "INVALID_TOKEN")} == {}
    assert await ask(api, model.token) == (200, None)


async def test_tokens_we_would_not_have_written_are_refused_though_our_key_signed_them(
    signed: Signed,
) -> None:
    api, model, _ = signed
    forged = by_a_thief(model)

    found = {wrong: await ask(api, token) for wrong, token in forged.items()}

    assert len(forged) > 80
    assert {wrong: told for wrong, told in found.items() if told != (401, "INVALID_TOKEN")} == {}
    # What they are made by is right: with nothing wrong, the same hands make a good one.
    assert await ask(api, model.signed(model.header)) == (200, None)
    ahead = model.facts | {"iat": model.facts["iat"] + 30}
    assert await ask(api, model.signed(model.header, ahead)) == (200, None)


async def test_a_token_of_any_length_is_refused_and_costs_nothing(
    parts: Parts, signed: Signed
) -> None:
    api, model, _ = signed
    tokens = Tokens(SigningRing(parts.database), parts.keys, issuer="x", audience="x", seconds=900)

    for size in (3_900, 7_000):
        assert (await ask(api, f"{model.token}{'x' * size}"))[0] == 401
    async with api.get(ME, headers={"Authorization": f"Bearer {'x' * 100_000}"}) as answer:
        assert 400 <= answer.status < 500
    for token in ("x" * 100_000, "." * 100_000, "a.b." + "x" * 100_000, "\u20ac.a.b", ""):
        with pytest.raises(InvalidToken):
            await tokens.verify(token)


@pytest.mark.parametrize("signed", [TokenAlgorithm.ES256], indirect=True)
async def test_the_twin_of_an_es256_signature_is_the_same_token_and_ends_with_it(
    signed: Signed,
) -> None:
    api, model, _ = signed
    other = twin(model.token)

    assert other != model.token
    assert await ask(api, other) == (200, None)
    async with api.post(
        "/api/v1/auth/logout", headers={"Authorization": f"Bearer {model.token}"}
    ) as answer:
        assert answer.status == 200
    assert await ask(api, other) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize(
    "query", ["access_token={}", "token={}", "Authorization=Bearer%20{}", "jwt={}"]
)
async def test_a_token_in_the_query_is_not_read(api: aiohttp.ClientSession, query: str) -> None:
    signed_in = await register(api)

    async with api.get(f"{ME}?{query.format(signed_in['accessToken'])}") as answer:
        body = await answer.json()

    assert (answer.status, body["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "scheme", ["Basic {}", "{}", "Token {}", "Bearer", "Bearer{}", "JWT {}", "Digest {}", ""]
)
async def test_other_schemes_carry_no_token(api: aiohttp.ClientSession, scheme: str) -> None:
    signed_in = await register(api)
    headers = {"Authorization": scheme.format(signed_in["accessToken"])}

    async with api.get(ME, headers=headers) as answer:
        body = await answer.json()

    assert answer.status == 401
    assert body["error"]["code"] in {"UNAUTHORIZED", "INVALID_TOKEN"}


async def test_a_token_in_a_cookie_or_a_form_is_not_read(api: aiohttp.ClientSession) -> None:
    token = (await register(api))["accessToken"]
    names = ("access_token", "accessToken", "token", "Authorization")
    cookies = {"Cookie": "; ".join(f"{name}={token}" for name in names)}

    async with api.get(ME, headers=cookies) as answer:
        assert answer.status == 401
    async with api.get(ME, data={"access_token": token}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
async def test_two_authorization_headers_are_no_token(
    api: aiohttp.ClientSession, order: slice
) -> None:
    one, other = await register(api), await register(api)
    values = [f"Bearer {item['accessToken']}" for item in (one, other)][order]
    headers = CIMultiDict([("Authorization", value) for value in values])

    async with api.get(ME, headers=headers) as answer:
        assert 400 <= answer.status < 500


async def test_every_other_kind_of_our_tokens_is_refused_here_and_this_one_elsewhere(
    api: aiohttp.ClientSession,
) -> None:
    signed_in = await register(api)
    access = signed_in["accessToken"]
    others = [signed_in["refreshToken"], *(new_token(kind) for kind in TokenKind)]

    for token in others:
        assert await ask(api, token) == (401, "INVALID_TOKEN"), token[:4]
        assert await ask(api, f"{token}.{token}.{token}") == (401, "INVALID_TOKEN"), token[:4]
    async with api.post("/api/v1/auth/refresh", json={"refreshToken": access}) as answer:
        assert answer.status == 401
    async with api.post("/api/v1/auth/verify-email", json={"token": access}) as answer:
        assert 400 <= answer.status < 500
        assert not (await answer.json())["success"]
    async with api.get(ME, headers=bearer(signed_in)) as answer:
        assert not (await answer.json())["data"]["emailVerified"]
