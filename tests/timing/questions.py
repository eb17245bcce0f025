"""What strangers ask of whom: each endpoint that could tell who has an account."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.timing.accounts import Account

WRONG = "Wrong-Battery-3"
_LONG = "rusty kettle over seven hills"

_NO_LETTER = (Account.KNOWN, Account.DEACTIVATED, Account.UNVERIFIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One endpoint under one profile, and the classes that must look like UNKNOWN there."""

    path: str
    classes: tuple[Account, ...]
    body: Callable[[str], dict[str, Any]]
    profile: str = "seed"
    # What is special about the other people there.
    among: str = ""
    # Asked by somebody who has an account of their own.
    signed_in: bool = False

    @property
    def name(self) -> str:
        """The endpoint and what it is asked under."""
        return f"{self.path} ({', '.join(filter(None, (self.profile, self.among)))})"


def _guess(address: str) -> dict[str, Any]:
    return {"email": address, "password": WRONG}


def _address(address: str) -> dict[str, Any]:
    return {"email": address}


def _new_address(address: str) -> dict[str, Any]:
    return {"newEmail": address}


def _newcomer(address: str) -> dict[str, Any]:
    return {"email": address, "password": _LONG, "firstName": "Ada", "lastName": "Lovelace"}


def _reset(address: str) -> dict[str, Any]:
    return {"email": address, "code": "000000", "newPassword": WRONG}


def _code(address: str) -> dict[str, Any]:
    return {"email": address, "code": "000000"}


QUESTIONS = (
    Question(
        path="login",
        classes=(
            Account.KNOWN,
            Account.DEACTIVATED,
            Account.DELETED,
            Account.PASSWORDLESS,
            Account.UNVERIFIED,
            Account.KNOWN_PLACE,
        ),
        body=_guess,
    ),
    # Failures do more work where anybody has another kind of hash: a place of its own.
    Question(
        path="login",
        classes=(Account.KNOWN, Account.BCRYPT),
        body=_guess,
        among="imported hashes",
    ),
    Question(path="forgot-password", classes=_NO_LETTER, body=_address),
    Question(
        path="resend-verification", classes=(Account.UNVERIFIED, Account.KNOWN), body=_address
    ),
    Question(path="change-email", classes=(Account.KNOWN,), body=_new_address, signed_in=True),
    Question(
        path="reset-password",
        classes=(Account.KNOWN, Account.PENDING, Account.WORN_OUT),
        body=_reset,
    ),
    Question(
        path="verify-email", classes=(Account.KNOWN, Account.PENDING, Account.WORN_OUT), body=_code
    ),
    Question(
        path="login",
        classes=(Account.KNOWN, Account.UNVERIFIED, Account.DEACTIVATED),
        body=_guess,
        profile="strict",
    ),
    Question(path="register", classes=(Account.KNOWN,), body=_newcomer, profile="strict"),
)
