"""The ways in which a stored password may be hashed: Argon2, and what other systems bring along.

A scheme is named by its hash without salt and digest, as the column `users.password_scheme` is:
`$argon2id$v=19$m=19456,t=2,p=1`, `$2b$12`, `$pbkdf2-sha256$29000` (passlib's),
`pbkdf2_sha256$600000` (Django's). Only what is known here and within the caps is ever computed, so
that nobody can import a hash that keeps a processor busy for minutes.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import bcrypt
from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret

_BCRYPT_COSTS = range(4, 16)
_BCRYPT_READS = 72
_MAX_MEMORY = 256 * 1024
_MAX_PASSES = 10
_MAX_LANES = 16
_MAX_ITERATIONS = 2_000_000
_LONGEST = 512


class UnsupportedHash(ValueError):  # noqa: N818 - it says what the hash is
    """A stored hash of an unknown kind, malformed, or too expensive to verify."""


class Scheme(Protocol):
    """One way of hashing, with its parameters."""

    @property
    def name(self) -> str:
        """What `users.password_scheme` has for such hashes."""

    @property
    def family(self) -> str:
        """The word that metrics know it by."""

    @property
    def weight(self) -> float:
        """About how many milliseconds of a core one verification takes."""

    def decoy(self) -> str:
        """Return a stored hash that belongs to no password and takes as long as a real one."""

    def matches(self, password: str, stored: str) -> bool:
        """Verify against a hash of this scheme, as `scheme_of` found it."""


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """`$2b$12$`, 22 characters of salt, 31 of digest."""

    name: str
    weight: float
    cost: int

    family: ClassVar[str] = "bcrypt"
    header: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<name>\$2[aby]\$(?P<cost>[0-9][0-9]))(?=\$|$)"
    )
    tail: ClassVar[re.Pattern[str]] = re.compile(r"\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

    @classmethod
    def read(cls, found: re.Match[str]) -> Self:
        """Return the scheme of a header; raise UnsupportedHash beyond the caps."""
        cost = int(found["cost"])
        _demand(cost in _BCRYPT_COSTS, f"bcrypt with a cost beyond {_BCRYPT_COSTS[-1]}")
        return cls(found["name"], 0.06 * 2**cost, cost)

    def examine(self, tail: str) -> None:
        """Accept: the pattern of the tail says everything."""

    def decoy(self) -> str:
        """Return a stored hash that belongs to no password and takes as long as a real one."""
        salt = bcrypt.gensalt(self.cost).decode()[len(self.name) + 1 :]
        digest = base64.b64encode(os.urandom(23)).decode()[:31].replace("+", ".")
        return f"{self.name}${salt}{digest}"

    def matches(self, password: str, stored: str) -> bool:
        """Verify the first 72 bytes, as every implementation did while none refused longer ones.

        NUL ended the password in some of them: such a password is never right, but costs as much.
        """
        secret = password.encode()[:_BCRYPT_READS]
        return bcrypt.checkpw(secret, stored.encode()) and b"\0" not in secret


@dataclass(frozen=True, slots=True)
class Argon2:
    """`$argon2id$v=19$m=19456,t=2,p=1$`, salt, `$`, digest; also argon2i and argon2d (RFC 9106)."""

    name: str
    weight: float

    family: ClassVar[str] = "argon2"
    header: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<name>\$argon2(?:id|i|d)\$v=(?:16|19)\$"
        r"m=(?P<memory>[1-9][0-9]{0,6}),t=(?P<passes>[1-9][0-9]?),p=(?P<lanes>[1-9][0-9]?))(?=\$|$)"
    )
    tail: ClassVar[re.Pattern[str]] = re.compile(r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}")

    @classmethod
    def read(cls, found: re.Match[str]) -> Self:
        """Return the scheme of a header; raise UnsupportedHash beyond the caps."""
        memory, passes, lanes = (int(found[name]) for name in ("memory", "passes", "lanes"))
        _demand(8 * lanes <= memory <= _MAX_MEMORY, "Argon2 memory over 256 MiB, or too little")
        _demand(passes <= _MAX_PASSES, f"more than {_MAX_PASSES} passes of Argon2")
        _demand(lanes <= _MAX_LANES, f"more than {_MAX_LANES} lanes of Argon2")
        return cls(found["name"], 0.0008 * memory * passes)

    def examine(self, tail: str) -> None:
        """Raise UnsupportedHash unless salt and digest are base64."""
        for part in tail[1:].split("$"):
            _decoded(part)

    def decoy(self) -> str:
        """Return a stored hash that belongs to no password and takes as long as a real one."""
        return f"{self.name}${_encoded(os.urandom(16))}${_encoded(os.urandom(32))}"

    def matches(self, password: str, stored: str) -> bool:
        """Verify; False also when there is no memory for it."""
        kind = {"i": Type.I, "d": Type.D, "id": Type.ID}[stored.split("$")[1][len("argon2") :]]
        try:
            return verify_secret(stored.encode(), password.encode(), kind)
        except Argon2Error:
            return False


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """PBKDF2 with HMAC (RFC 8018) as Django and passlib write it."""

    name: str
    weight: float
    digest: str
    iterations: int

    family: ClassVar[str] = "pbkdf2"
    header: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<name>(?:pbkdf2_(?=sha256)|\$pbkdf2-)(?P<digest>sha256|sha512)\$"
        r"(?P<iterations>[1-9][0-9]{0,6}))(?=\$|$)"
    )
    tail: ClassVar[re.Pattern[str]] = re.compile(r"\$[!-#%-~]{1,128}\$[A-Za-z0-9+/.=]{43,88}")

    @classmethod
    def read(cls, found: re.Match[str]) -> Self:
        """Return the scheme of a header; raise UnsupportedHash beyond the caps."""
        digest, iterations = found["digest"], int(found["iterations"])
        _demand(iterations <= _MAX_ITERATIONS, f"more than {_MAX_ITERATIONS:,} iterations")
        weight = (0.0003 if digest == "sha256" else 0.0006) * iterations
        return cls(found["name"], weight, digest, iterations)

    def examine(self, tail: str) -> None:
        """Raise UnsupportedHash unless the digest is as long as its hash function's."""
        _, expected = self._parts(tail)
        # A longer one would take all iterations several times.
        wanted = hashlib.new(self.digest).digest_size
        _demand(len(expected) == wanted, f"a digest of other than {wanted} bytes")

    def decoy(self) -> str:
        """Return a stored hash that belongs to no password and takes as long as a real one."""
        expected = os.urandom(hashlib.new(self.digest).digest_size)
        return f"{self.name}${_encoded(os.urandom(16))}${_encoded(expected)}".replace("+", ".")

    def matches(self, password: str, stored: str) -> bool:
        """Verify in constant time."""
        salt, expected = self._parts(stored.removeprefix(self.name))
        found = hashlib.pbkdf2_hmac(self.digest, password.encode(), salt, self.iterations)
        return hmac.compare_digest(found, expected)

    def _parts(self, tail: str) -> tuple[bytes, bytes]:
        salt, expected = tail[1:].split("$")
        # Django's salt is text, passlib's is base64 with a dot instead of the plus sign.
        read = _decoded if self.name.startswith("$") else str.encode
        return read(salt), _decoded(expected.rstrip("="))


_FAMILIES: tuple[type[Argon2] | type[Bcrypt] | type[Pbkdf2], ...] = (Argon2, Bcrypt, Pbkdf2)


def scheme_named(name: str) -> Scheme:
    """Return the scheme of a value of `users.password_scheme`; raise UnsupportedHash."""
    return _read(name)[0]


def scheme_of(stored: str) -> Scheme:
    """Return the scheme of a whole stored hash; raise UnsupportedHash if it can never verify.

    What imports hashes asks here first, to refuse early what would lock people out.
    """
    scheme, family = _read(stored)
    tail = stored.removeprefix(scheme.name)
    _demand(bool(family.tail.fullmatch(tail)), f"a malformed {family.family} hash")
    scheme.examine(tail)
    return scheme


def _read(
    text: str,
) -> tuple[Argon2 | Bcrypt | Pbkdf2, type[Argon2] | type[Bcrypt] | type[Pbkdf2]]:
    _demand(len(text) <= _LONGEST, f"more than {_LONGEST} characters")
    for family in _FAMILIES:
        if found := family.header.match(text):
            return family.read(found), family
    raise UnsupportedHash("Not a kind of hash that can be verified: an unknown format")


def _demand(holds: object, otherwise: str) -> None:
    if not holds:
        raise UnsupportedHash(f"Not a kind of hash that can be verified: {otherwise}")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Return the bytes of unpadded base64; its last character must not carry stray bits."""
    plain = text.replace(".", "+")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise UnsupportedHash("Not a kind of hash that can be verified: no base64") from error
    _demand(_encoded(data) == plain, "base64 with stray bits")
    return data
