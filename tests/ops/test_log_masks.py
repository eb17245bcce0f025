"""Names and shapes of secrets, each by itself: what a line would hold of it."""

import pytest

from ops.logging.masks import HIDDEN, masked, named


@pytest.mark.parametrize(
    "name",
    [
        "passwd", "passphrase", "secretKeys", "accessToken", "set_cookie", "credential",
        "credentials", "api_key", "API-Key", "proxyAuthorization", "totp", "resetCode",
    ],
)  # fmt: skip
def test_whatever_is_named_as_a_secret_is_hidden(name: str) -> None:
    assert named(name, "canary") == HIDDEN
    assert named(name.upper(), ["canary"]) == HIDDEN


@pytest.mark.parametrize(
    "head",
    [
        "passwd=", "passphrase: ", "secret=", "accessToken=", "credentials=", "api_key=",
        "api-key: ", "apikey=", "otp=", "Cookie: a=", "Set-Cookie: a=", "Proxy-Authorization: ",
    ],
)  # fmt: skip
def test_what_a_text_names_as_a_secret_is_hidden(head: str) -> None:
    assert "canary" not in masked(f"said {head}canary")
    assert masked(f"said {head}canary").startswith("said ")


@pytest.mark.parametrize(
    "kind",
    ["argon2id", "argon2i", "2a", "2b", "2x", "2y", "1", "5", "6", "y", "scrypt", "pbkdf2-sha256"],
)
def test_every_kind_of_password_hash_is_hidden(kind: str) -> None:
    assert masked(f"kept ${kind}$10$canary/canary. there") == f"kept {HIDDEN} there"


@pytest.mark.parametrize("before", ["/verify?t=", "next%3D", "(", "'", "\n", ""])
@pytest.mark.parametrize("secret", ["ove_Canary0123456789", "eyJhbGciOiJF.eyJzdWIi.Canary_sig"])
def test_a_token_is_hidden_whatever_stands_before_it(before: str, secret: str) -> None:
    assert "Canary" not in masked(f"{before}{secret}")


@pytest.mark.parametrize("sign", ["@", "%40"])
def test_of_an_address_its_first_letter_and_its_domain_are_left(sign: str) -> None:
    assert masked(f"to ada.lovelace{sign}mail.acme.com.") == "to a***@mail.acme.com."
