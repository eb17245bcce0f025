"""What a password must be, in both profiles."""

import os
import subprocess
import sys
import unicodedata

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.passwords.blocklist import common_passwords, is_common
from api.passwords.policy import PasswordPolicy
from api.problems import Invalid
from ops.settings import SecurityProfile
from tests.conftest import Serve
from tests.factories import new_user

ADA = ("ada.lovelace@example.com", "Ada", "Lovelace")

# A blocklist or a resolver that asks somebody else fails here.
_OFFLINE = """
import socket
def refuse(*_, **__):
    raise OSError("offline")
socket.socket.connect = socket.getaddrinfo = refuse
from api.passwords.blocklist import is_common
assert is_common("password") and not is_common("correct-horse")
import sys
assert "zxcvbn" not in sys.modules
"""


def reasons(profile: SecurityProfile, password: str) -> list[str]:
    """Return what a policy says about a password of Ada's."""
    try:
        PasswordPolicy(profile).check(password, personal=ADA)
    except Invalid as problem:
        return [detail.message for detail in problem.details]
    return []


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Sh0rt-1", "at least 8 characters"),
        ("Aa1-" * 64 + "x", "at most 256 characters"),
        ("violet-tundra-9", "at least one uppercase letter"),
        ("VIOLET-TUNDRA-9", "at least one lowercase letter"),
        ("Violet-Tundra-x", "at least one number"),
        ("VioletTundra9", "at least one special character"),
        ("Violet Tundra 9", "at least one special character"),
        ("Password1!", "most common"),
        ("Lovelace1!", "your name or e-mail address"),
    ],
)
def test_profile_seed_names_the_rule_that_a_password_breaks(password: str, reason: str) -> None:
    found = reasons(SecurityProfile.SEED, password)

    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("fourteen chars", "at least 15 characters"),
        ("wandering about " * 16 + "x", "at most 256 characters"),
        ("passwordpassword", "most common"),
        ("ada.lovelace@example.com", "your name or e-mail address"),
        ("Ada Lovelace 1815!", "your name or e-mail address"),
        ("aaaaaaaaaaaaaaaa", "one short pattern or run"),
        ("x7$Kx7$Kx7$Kx7$K", "one short pattern or run"),
        ("abcdefghijklmnop", "one short pattern or run"),
        ("zyxwvutsrqponmlk", "one short pattern or run"),
        ("1234567890123456", "one short pattern or run"),
        ("qwertyuiopasdfgh", "one short pattern or run"),
        ("ostiary-Ostiary!", "the name of this service"),
        ("ostiary-password", "the name of this service"),
    ],
)
def test_profile_strict_names_the_rule_that_a_password_breaks(password: str, reason: str) -> None:
    found = reasons(SecurityProfile.STRICT, password)

    assert any(reason in message for message in found), found


def test_every_broken_rule_is_named_at_once() -> None:
    found = reasons(SecurityProfile.SEED, "lovelac")
    with pytest.raises(Invalid) as problem:
        PasswordPolicy(SecurityProfile.SEED).check("love", field="newPassword")

    assert found == [
        "Password must have at least 8 characters",
        "Password must contain at least one uppercase letter, one number, one special character",
    ]
    assert [detail.field for detail in problem.value.details] == ["newPassword"] * 3


@pytest.mark.parametrize(
    "password",
    [
        "Password1!", "P@ssw0rd!", "P4$$w0rd2026", "Qwerty123!", "Admin@123", "Welcome2026!",
        "1qaz@WSX", "!QAZ2wsx", "Aa123456!", "Abcd1234!", "Princes$1!", "1loveY0u!!", "123Monkey!",
        "PasswordPassword1!", "Abc123Abc123!", "!!4Dmin!!9", "Dragon-123456",
        "\uff30assword1!", "Trustno1!",
    ],
)  # fmt: skip
def test_a_disguise_does_not_make_a_common_password_good(password: str) -> None:
    assert any("most common" in reason for reason in reasons(SecurityProfile.SEED, password))


@pytest.mark.parametrize(
    "password",
    [
        "Correct-Horse-9", "SecureP@ss123", "NewSecureP@ss123", "Wrong-Horse-9", "My-dog-Rex-2011",
        "P@ssword is 2 weak", "Dragon, monkey & 3 letters", "xK9#mP2$vL", "Love-is-a-4-letter-word",
        "Tr0ub4dor&3", "Ada-likes-7-elephants", "Football at 5, tea at 6!", "Passw\u00f6rd-99",
        "7Rivers,9Hills", "A1!password-of-the-Month", "Correct-Horse-1234", "Love-83920174",
    ],
)  # fmt: skip
def test_profile_seed_takes_good_passwords(password: str) -> None:
    assert reasons(SecurityProfile.SEED, password) == []


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "the quick brown fox", "tree stump feet degree",
        "my password is weak", "ada likes 3 elephants", "ostiary is my cup of tea",
        "summer in the football stadium", "we were properly polite", "iloveyou and the monkeys",
        "\u0434\u044f\u0434\u044f \u0441\u0430\u043c\u044b\u0445 \u043f\u0440\u0430\u0432",
        "\u6625\u7720\u4e0d\u89c9\u6653\u5904\u5904\u95fb\u557c\u9e1f\u591c\u6765\u98ce\u96e8\u58f0",
        "kJ8vQ2mXz7RtL4w", "dXk-29f-Lqp-771", "1984 was a dystopia", "desert reeds we were",
    ],
)  # fmt: skip
def test_profile_strict_takes_good_passphrases_of_any_composition(password: str) -> None:
    assert reasons(SecurityProfile.STRICT, password) == []


@pytest.mark.parametrize(
    "password",
    [
        "\u0392\u03ac\u03c4\u03c1\u03b1\u03c7\u03bf\u03c2-9",  # Greek
        "\u041b\u044f\u0433\u0443\u0448\u043a\u0430-9",  # Cyrillic
        "\u0531\u0580\u0587\u0578\u0582\u057f\u0584-\u0669",  # Armenian, an Arabic-Indic digit
    ],
)
def test_letters_and_digits_of_every_script_count_as_what_unicode_says(password: str) -> None:
    assert reasons(SecurityProfile.SEED, password) == []


def test_no_letter_of_any_script_is_a_special_character() -> None:
    found = reasons(SecurityProfile.SEED, "\u041b\u044f\u0433\u0443\u0448\u043a\u0430\u00e9\u00e99")

    assert found == ["Password must contain at least one special character"]


@given(st.text(max_size=40))
def test_a_password_is_the_same_from_every_keyboard(password: str) -> None:
    for profile in SecurityProfile:
        composed, decomposed = (
            reasons(profile, unicodedata.normalize(form, password)) for form in ("NFC", "NFD")
        )
        assert composed == decomposed


def test_length_is_counted_in_characters_after_composition() -> None:
    seven = "Ze\u0308bra-9"

    assert len(seven) == 8
    assert reasons(SecurityProfile.SEED, seven) == ["Password must have at least 8 characters"]


@pytest.mark.parametrize(
    "password",
    ["Lovelace1!", "Ada.Lovelace1", "LovelaceAda#1", "Ada#48271", "ada_lovelace@7", "L0vel@ce!1"],
)
def test_names_and_address_are_found_in_disguise(password: str) -> None:
    assert any("your name" in reason for reason in reasons(SecurityProfile.SEED, password))


def test_signs_between_the_digits_of_a_common_number_hide_nothing() -> None:
    assert is_common("12-34-56-78")
    assert not is_common("49-07-31-85-22")


def test_what_stands_before_the_at_sign_is_found_and_a_missing_name_is_not() -> None:
    policy = PasswordPolicy(SecurityProfile.SEED)
    with pytest.raises(Invalid):
        policy.check("Countess1815!", personal=("countess@example.com", "", ""))

    policy.check("Violet-Tundra-18", personal=("countess@example.com", "", ""))
    PasswordPolicy(SecurityProfile.STRICT).check("!?#%&*()-+=.,;:", personal=("", ""))


def test_nobody_elses_name_is_refused() -> None:
    assert reasons(SecurityProfile.SEED, "Hopperovich1!") == []


def test_the_list_has_thirty_thousand_passwords_in_the_form_they_are_compared_in() -> None:
    found = common_passwords()

    assert len(found) >= 30_000
    assert all(word == word.casefold() for word in found)
    assert all(is_common(word.swapcase()) for word in found)


def test_the_list_is_read_without_a_network_and_without_the_rest_of_its_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OFFLINE], env=os.environ | {"PYTHONPATH": "."}, check=False
    )

    assert done.returncode == 0


async def test_registration_asks_the_profile_of_the_settings(serve: Serve) -> None:
    api = await serve(security_profile="strict")

    async with api.post("/api/v1/auth/register", json=new_user(password="Short-1!x")) as answer:
        body = await answer.json()

    assert answer.status == 400
    assert body["error"]["details"] == [
        {"field": "password", "message": "Password must have at least 15 characters"}
    ]


async def test_a_password_over_256_characters_is_refused_before_any_hash(
    api: aiohttp.ClientSession,
) -> None:
    credentials = {"email": "a@example.com", "password": "x" * 257}

    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "VALIDATION_ERROR"
