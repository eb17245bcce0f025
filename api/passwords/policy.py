"""What a password must be; the reason is told, all reasons at once."""

import re
import unicodedata

from api.problems import Invalid
from ops.errors import Detail

MIN_LENGTH = 8
MAX_LENGTH = 256

_RULES = (
    (re.compile(r"[A-Z]"), "one uppercase letter"),
    (re.compile(r"[a-z]"), "one lowercase letter"),
    (re.compile(r"[0-9]"), "one number"),
    (re.compile(r"[^A-Za-z0-9\s]"), "one special character"),
)
_MIN_PERSONAL = 4


def normalized(password: str) -> str:
    """Return NFC, so that one password is the same from every keyboard (NIST SP 800-63B-4)."""
    return unicodedata.normalize("NFC", password)


def check(password: str, *, personal: tuple[str, ...] = (), field: str = "password") -> None:
    """Raise Invalid naming every rule that a normalized password breaks.

    Letters of every script count as what Unicode says they are; `personal` are the e-mail address
    and names, which must not be the password.
    """
    reasons = [f"Password must have at least {MIN_LENGTH} characters"] * (
        len(password) < MIN_LENGTH
    ) + [f"Password must have at most {MAX_LENGTH} characters"] * (len(password) > MAX_LENGTH)
    missing = [name for rule, name in _RULES if not rule.search(password)]
    if missing:
        reasons.append("Password must contain at least " + ", ".join(missing))
    if _is_personal(password, personal):
        reasons.append("Password must not be your name or e-mail address")
    if reasons:
        raise Invalid(details=[Detail(field, reason) for reason in reasons])


def _is_personal(password: str, personal: tuple[str, ...]) -> bool:
    lowered = password.casefold()
    words = {word.casefold() for word in personal if len(word) >= _MIN_PERSONAL}
    return lowered in words or lowered.rstrip("0123456789!?.*@#$%^&") in words
