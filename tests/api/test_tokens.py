"""Access tokens: ours verify, every other one is refused, whatever it says about itself."""

import base64
import json
import time
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.parts import Parts
from tests.factories import register


async def test_the_key_set_verifies_our_tokens_and_holds_no_private_half(
    api: aiohttp.ClientSession,
) -> None:
    signed_in = await register(api)

    async with api.get("/.well-known/jwks.json") as answer:
        keys = await answer.json()

    assert set(keys["keys"][0]) == {"kty", "crv", "alg", "use", "kid", "x"}
    key = jwt.PyJWK(keys["keys"][0])
    token = signed_in["accessToken"]
    facts = jwt.decode(token, key, algorithms=["EdDSA"], audience="ostiary")
    assert facts["sub"] == signed_in["user"]["id"]
    assert facts["exp"] - facts["iat"] == 900
    assert "email" not in facts
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def _forged(token: str, parts: Parts) -> dict[str, str]:
    """Return tokens that must not be taken, by what is wrong with them."""
    header = jwt.get_unverified_header(token)
    facts = jwt.decode(token, options={"verify_signature": False})
    stranger = Ed25519PrivateKey.generate()
    head, body, signature = token.split(".")

    def signed(changes: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        merged = {key: value for key, value in (facts | changes).items() if value is not None}
        named = {key: value for key, value in (header | (headers or {})).items() if value}
        return jwt.encode(merged, stranger, algorithm="EdDSA", headers=named)

    def unsigned(name: str) -> str:
        text = json.dumps(header | {"alg": name}).encode()
        return f"{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.{body}."

    return {
        "a stranger's signature": signed({}),
        "alg none": unsigned("none"),
        "alg None": unsigned("None"),
        "alg HS256": jwt.encode(facts, "x" * 32, algorithm="HS256", headers={"kid": header["kid"]}),
        "jku": signed({}, {"jku": "https://evil.example/jwks.json"}),
        "no kid": signed({}, {"kid": None}),
        "kid that is a path": signed({}, {"kid": "../../etc/passwd"}),
        "crit": signed({}, {"crit": ["x"], "x": 1}),
        "signature flipped": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "signature padded": f"{token}==",
        "payload changed": f"{head}.{body[:-4]}AAAA.{signature}",
        "signature cut": f"{head}.{body}.{signature[:-4]}",
        "four parts": f"{token}.x",
        "too long": f"{token}{'x' * 100_000}"[:7_000],
        "empty": "",
        "no token": "Bearer",
        "unicode": "\u00e4.\u00f6.\u00fc",
        "a refresh token": "ort_k1.01935b5c6d1e7a3b8c4d5e6f708192a3.0.x.y",
    }


async def test_forged_tokens_are_refused_whatever_they_say(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    signed_in = await register(api)

    for wrong, token in _forged(signed_in["accessToken"], parts).items():
        headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        async with api.get("/api/v1/auth/me", headers=headers) as answer:
            assert answer.status == 401, wrong


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", None), ("exp", 1), ("exp", "tomorrow"), ("iat", 32_503_680_000), ("iss", "x"),
        ("iss", None), ("aud", "x"), ("aud", ["ostiary", "x"]), ("aud", None), ("sub", "x"),
        ("sub", None), ("sid", None), ("sid", "x"), ("ver", None), ("ver", True), ("ver", "1"),
        ("ver", 2), ("jti", None), ("nbf", 32_503_680_000),
    ],
)  # fmt: skip
async def test_tokens_we_would_sign_ourselves_are_refused_when_a_claim_is_wrong(
    api: aiohttp.ClientSession, parts: Parts, claim: str, value: Any
) -> None:
    signed_in = await register(api)
    async with parts.database.reading() as storage:
        key = (await storage.signing_keys.all())[0]
    facts = jwt.decode(signed_in["accessToken"], options={"verify_signature": False})
    changed = {name: item for name, item in (facts | {claim: value}).items() if item is not None}
    private = Ed25519PrivateKey.from_private_bytes(key.private_key)
    header = {"kid": key.id, "typ": "at+jwt"}

    def sign(claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, private, algorithm="EdDSA", headers=header | headers)

    async def ask(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with api.get("/api/v1/auth/me", headers=headers) as answer:
            return answer.status

    assert await ask(sign(facts)) == 200
    assert await ask(sign(changed)) == 401
    assert await ask(sign(facts, typ="JWT")) == 401
    assert time.time() < facts["exp"]
