"""What a password must be; the reason is told, all reasons at once."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from api.passwords.blocklist import folded, is_common, is_one_of
from api.passwords.patterns import is_trivial
from api.problems import Invalid
from ops.errors import Detail
from ops.settings import SecurityProfile

MAX_LENGTH = 256

_MIN_LENGTH = {SecurityProfile.SEED: 8, SecurityProfile.STRICT: 15}
_PRODUCT = "ostiary"
# What must be left of a password without the name of the product.
_SHORTEST_REST = 8


def normalized(password: str) -> str:
    """Return NFC, so that one password is the same from every keyboard (NIST SP 800-63B-4)."""
    return unicodedata.normalize("NFC", password)


def _is_special(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


# Letters and digits of every script are what Unicode says they are.
_COMPOSITION: tuple[tuple[Callable[[str], bool], str], ...] = (
    (str.isupper, "one uppercase letter"),
    (str.islower, "one lowercase letter"),
    (str.isdecimal, "one number"),
    (_is_special, "one special character"),
)


class PasswordPolicy:
    """The rules of a profile: `seed` asks for kinds of characters, `strict` follows NIST."""

    def __init__(self, profile: SecurityProfile) -> None:
        self._profile = profile
        self._shortest = _MIN_LENGTH[profile]

    def check(
        self, password: str, *, personal: Sequence[str] = (), field: str = "password"
    ) -> None:
        """Raise Invalid naming every rule that a password breaks.

        `personal` are the e-mail address and names, which must not be the password, nor what it is
        made of but for digits and signs.
        """
        password = normalized(password)
        reasons = list(self._length(password))
        # What is far too long is not worth looking at.
        if len(password) <= MAX_LENGTH:
            reasons += self._guessable(password, personal)
        if reasons:
            raise Invalid(details=[Detail(field, reason) for reason in reasons])

    def _length(self, password: str) -> Iterator[str]:
        if len(password) < self._shortest:
            yield f"Password must have at least {self._shortest} characters"
        if len(password) > MAX_LENGTH:
            yield f"Password must have at most {MAX_LENGTH} characters"

    def _guessable(self, password: str, personal: Sequence[str]) -> Iterator[str]:
        if self._profile is SecurityProfile.SEED:
            yield from _composition(password)
        if is_common(password):
            yield "Password is one of the most common ones, or close to it; choose another"
        if is_one_of(_personal_words(personal), password):
            yield "Password must not be your name or e-mail address"
        if self._profile is SecurityProfile.STRICT:
            yield from _context(password)


def _composition(password: str) -> Iterator[str]:
    missing = [name for is_kind, name in _COMPOSITION if not any(map(is_kind, password))]
    if missing:
        yield "Password must contain at least " + ", ".join(missing)


def _context(password: str) -> Iterator[str]:
    """Give what NIST SP 800-63B-4 section 3.1.1.2 has beyond lists of common passwords."""
    if is_trivial(password):
        yield "Password must not be one short pattern or run; use several unrelated words"
    rest = folded(password).replace(_PRODUCT, "")
    if len(rest) < len(folded(password)) and (len(rest) < _SHORTEST_REST or is_common(rest)):
        yield "Password must not be made of the name of this service"


def _personal_words(personal: Sequence[str]) -> set[str]:
    """Return what the password must not be: address, local part, names, names written as one."""
    words = {folded(word) for word in personal}
    locals_ = {word.partition("@")[0] for word in words if "@" in word}
    names = sorted(word for word in words if "@" not in word)
    joined = {
        sign.join(pair) for pair in permutations(names, 2) for sign in ("", " ", ".", "-", "_")
    }
    return {word for word in words | locals_ | joined if word}
