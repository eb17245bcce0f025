"""Tokens that must not be taken: made by strangers, and by whoever got hold of one of our keys."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from storage.key_pairs import PrivateKey, read_private, read_public
from storage.signing_keys import SigningKey

Sign = Callable[[bytes], bytes]

_STRANGERS: dict[str, PrivateKey] = {
    "EdDSA": Ed25519PrivateKey.generate(),
    "ES256": generate_private_key(SECP256R1()),
    "RS256": generate_rsa(65_537, 2_048),
}


def b64(data: bytes) -> str:
    """Write base64url as tokens do."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(part: str) -> bytes:
    """Read it."""
    return base64.urlsafe_b64decode(part + "==")


def dumped(value: object) -> bytes:
    """Write JSON as tokens do; bytes stay as they are."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def compact(header: object, payload: object, sign: Sign) -> str:
    """Write a token of any header and payload, however wrong."""
    message = f"{b64(dumped(header))}.{b64(dumped(payload))}"
    return f"{message}.{b64(sign(message.encode()))}"


def signing(algorithm: str, key: Any) -> Sign:
    """Return how a key signs."""
    method = jwt.get_algorithm_by_name(algorithm)
    return lambda message: method.sign(message, method.prepare_key(key))


def nothing(_: bytes) -> bytes:
    """Sign with no bytes at all."""
    return b""


@dataclass(frozen=True, slots=True)
class Model:
    """A good token of ours, and the key that signed it."""

    token: str
    key: SigningKey
    jwk: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(json.loads(read(self.token.split(".")[0])))

    @property
    def facts(self) -> dict[str, Any]:
        """What it claims."""
        return dict(json.loads(read(self.token.split(".")[1])))

    @property
    def sign(self) -> Sign:
        """Sign as only we can."""
        private = read_private(self.key.algorithm, self.key.private_key)
        return signing(self.key.algorithm, private)

    def signed(self, header: object, payload: object = None) -> str:
        """Sign any header and payload as only we can."""
        return compact(header, self.facts if payload is None else payload, self.sign)

    def encodings(self) -> dict[str, bytes]:
        """Return the public key as an HMAC secret might be taken from it."""
        public = read_public(self.key.algorithm, self.key.public_key)
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {
            "as kept": self.key.public_key,
            "PEM": pem,
            "PEM without its last newline": pem.rstrip(),
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "JWK": dumped(self.jwk),
        }


def by_strangers(model: Model) -> dict[str, str]:
    """Return tokens that anybody can make, by what is wrong with them."""
    header, facts = model.header, model.facts
    _, body, signature = model.token.split(".")
    stranger = signing(header["alg"], _STRANGERS[header["alg"]])
    evil = "https://evil.example/jwks.json"
    jwk = {"kty": "oct", "k": b64(b"x" * 32)}
    found = _misshapen(model, stranger) | _changed(model.token)
    for name in ("none", "None", "NONE", "nOnE", "", None, "HS256", "EdDsa", "ES384", "Ed448"):
        found[f"alg {name}, unsigned"] = compact(header | {"alg": name}, facts, nothing)
        found[f"alg {name}, our signature"] = f"{b64(dumped(header | {'alg': name}))}.{body}." + (
            signature
        )
    for name, secret in model.encodings().items():
        for alg in ("HS256", "HS512"):
            mac = _mac(alg, secret)
            found[f"{alg} of the public key {name}"] = compact(header | {"alg": alg}, facts, mac)
        found[f"our alg, HMAC of the public key {name}"] = compact(
            header, facts, _mac("HS256", secret)
        )
    for extra in (
        {"jku": evil}, {"x5u": evil}, {"jwk": jwk}, {"jwk": _jwk_of(header["alg"])},
        {"x5c": ["MIIB"]}, {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False},
        {"zip": "DEF"}, {"enc": "A256GCM"},
    ):  # fmt: skip
        found[f"with {extra}"] = compact(header | extra, facts, stranger)
    for kid in (
        "../../../../dev/null", "/dev/null", "' OR '1'='1", f"{header['kid']}'; --", "%00", "",
        "0" * 16, "\u0000", "x" * 500, None, 0, True, [header["kid"]], {"kid": header["kid"]},
    ):  # fmt: skip
        found[f"kid {kid!r:.40}"] = compact(header | {"kid": kid}, facts, stranger)
    return found


def _misshapen(model: Model, stranger: Sign) -> dict[str, str]:
    """Return what is not one header, one payload and one signature."""
    header, facts, token = model.header, model.facts, model.token
    head, body, signature = token.split(".")
    return {
        "a stranger's signature": compact(header, facts, stranger),
        "empty signature": f"{head}.{body}.",
        "four parts": f"{token}.x",
        "five parts, as a JWE": f"{token}.{body}.{signature}",
        "two parts": f"{head}.{body}",
        "JSON serialization": json.dumps(
            {"payload": body, "protected": head, "signature": signature}
        ),
        "flattened JSON with an open header": json.dumps(
            {"payload": body, "header": header, "signature": signature}
        ),
        "a token within a token": compact(header | {"cty": "JWT"}, token.encode(), stranger),
        "a token as the payload": compact(header, token.encode(), stranger),
        "4 KiB of payload": compact(header, facts | {"x": "x" * 4_000}, stranger),
        "payload of the signature": f"{head}.{signature}.{signature}",
        "unicode": "\u00e4.\u00f6.\u00fc",
        "dots": "..",
        "a word": "Bearer",
        "duplicate alg": compact(
            dumped(header)[:-1] + b',"alg":"none"}', facts, nothing
        ),
        "duplicate sub": compact(header, dumped(facts)[:-1] + b',"sub":"x"}', stranger),
        "deep header": compact(b'{"a":' * 500 + b"1" + b"}" * 500, facts, stranger),
        "header of no object": compact([header], facts, stranger),
        "header of no JSON": compact(b"{", facts, stranger),
    }  # fmt: skip


def _changed(token: str) -> dict[str, str]:
    """Return spellings of a token with a little of it changed."""
    head, body, signature = token.split(".")
    found = {
        "padded": f"{token}==",
        "padded once": f"{token}=",
        "header padded": f"{head}=.{body}.{signature}",
        "payload padded": f"{head}.{body}=.{signature}",
        "space before the signature": f"{head}.{body}. {signature}",
        "space within": f"{head}. {body}.{signature}",
        "tab within": f"{head}.{body}\t.{signature}",
        "two tokens": f"{token}, {token}",
        "quoted": f'"{token}"',
        "the other alphabet": f"{head}.{body}.{signature[:-4]}+/{signature[-2:]}",
        "percent encoded": token.replace(".", "%2E"),
        "cut by one": token[:-1],
        "cut by four": token[:-4],
        "cut in half": token[: len(token) // 2],
        "longer by four": f"{token}AAAA",
        "stray last bits": token[:-1] + _next(token[-1]),
    }
    for place, part in enumerate((head, body, signature)):
        for at in (0, len(part) // 3, len(part) // 2, len(part) - 2):
            parts = [head, body, signature]
            parts[place] = part[:at] + _flipped(part[at]) + part[at + 1 :]
            found[f"part {place} flipped at {at}"] = ".".join(parts)
    return found


def by_a_thief(model: Model) -> dict[str, str]:
    """Return tokens signed by our own key which we would never have written."""
    header, facts, now = model.header, model.facts, int(time.time())
    found = {
        "header in another order": model.signed(dict(reversed(header.items()))),
        "header with a space": model.signed(json.dumps(header).encode()),
        "duplicate typ": model.signed(dumped(header)[:-1] + b',"typ":"at+jwt"}'),
        "payload of no object": model.signed(header, [facts]),
        "payload of no JSON": model.signed(header, b"\xff{"),
        "empty payload": model.signed(header, {}),
        "deep payload": model.signed(header, b'{"a":' * 400 + b"1" + b"}" * 400),
    }
    for typ in ("JWT", "at+JWT", "AT+JWT", "application/at+jwt", "jwt", "", None, ["at+jwt"]):
        found[f"typ {typ}"] = model.signed(header | {"typ": typ})
    for name in ("typ", "alg", "kid"):
        found[f"no {name}"] = model.signed({key: header[key] for key in header if key != name})
    for extra in ({"crit": ["exp"]}, {"cty": "JWT"}, {"jku": "x"}, {"nonce": "x"}):
        found[f"with {extra}"] = model.signed(header | extra)
    issuer = facts["iss"]
    wrong: dict[str, list[Any]] = {
        "iss": [issuer[:-1], f"{issuer}/", f"{issuer}.evil.example", issuer.upper(), [issuer], "x"],
        "aud": ["x", ["ostiary"], ["ostiary", "x"], ["x", "ostiary"], "ostiary ", "OSTIARY", True],
        "exp": [1, now - 1, -1, 0, "tomorrow", str(now + 60), 10**30, -(10**30), now + 60.5, True,
                [now + 60], float("nan"), float("inf"), now + 8 * 86_400],
        "iat": [now + 120, 10**30, "now", str(now), float("nan"), float("-inf"), True, -(10**30)],
        "nbf": [now + 120, 10**30, "x", float("nan"), []],
        "sub": ["x", 1, [facts["sub"]], "' OR 1=1 --", "0" * 32],
        "sid": ["x", 1, [facts["sid"]], True, "0" * 32],
        "jti": [1, []],
        "ver": [True, "1", 2, 0, -1, 1.5, 10**30],
    }  # fmt: skip
    for name in ("iss", "aud", "exp", "iat", "sub", "sid", "jti", "ver"):
        without = {key: facts[key] for key in facts if key != name}
        found[f"no {name}"] = model.signed(header, without)
        found[f"{name} null"] = model.signed(header, facts | {name: None})
    for name, values in wrong.items():
        for value in values:
            found[f"{name} {value!r:.40}"] = model.signed(header, facts | {name: value})
    return found


def twin(token: str) -> str:
    """Return the other signature of ES256 for the same token: (r, n - s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    message, _, signature = token.rpartition(".")
    raw = read(signature)
    other = order - int.from_bytes(raw[32:])
    return f"{message}.{b64(raw[:32] + other.to_bytes(32))}"


def _mac(algorithm: str, secret: bytes) -> Sign:
    # PyJWT refuses to take a PEM for a secret; attackers do not.
    method = jwt.get_algorithm_by_name(algorithm)
    return lambda message: method.sign(message, secret)


def _jwk_of(algorithm: str) -> dict[str, Any]:
    method = jwt.get_algorithm_by_name(algorithm)
    return dict(method.to_jwk(_STRANGERS[algorithm].public_key(), as_dict=True))


def _flipped(letter: str) -> str:
    return "A" if letter != "A" else "Q"


def _next(letter: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return letters[(letters.index(letter) + 1) % 64]
