"""Hashes as other systems store them, made without the code that verifies them."""

import base64
import hashlib

import bcrypt
from argon2.low_level import Type, hash_secret

SALT = b"sixteen bytes ok"


def bcrypt_hash(password: str, *, prefix: str = "$2b", cost: int = 4) -> str:
    """Return what another system stored, under any of the prefixes."""
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()
    return prefix + made[3:]


def argon2_hash(password: str, kind: Type, *, version: int = 19) -> str:
    """Return a hash of other parameters than ours."""
    return hash_secret(
        password.encode(),
        SALT,
        time_cost=2,
        memory_cost=32,
        parallelism=2,
        hash_len=24,
        type=kind,
        version=version,
    ).decode()


def django_hash(password: str, *, rounds: int = 1_000) -> str:
    """Return what Django writes."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"7saltOfDjango", rounds)
    return f"pbkdf2_sha256${rounds}$7saltOfDjango${base64.b64encode(digest).decode()}"


def passlib_hash(password: str, algorithm: str, *, rounds: int = 1_000) -> str:
    """Return what passlib writes."""
    dotted = b"\xfb\xef\xbe and more"  # begins with ++++ in base64, with .... in passlib's
    digest = hashlib.pbkdf2_hmac(algorithm, password.encode(), dotted, rounds)
    salt, checksum = (
        base64.b64encode(data).decode().rstrip("=").replace("+", ".") for data in (dotted, digest)
    )
    return f"$pbkdf2-{algorithm}${rounds}${salt}${checksum}"


def foreign(password: str) -> dict[str, str]:
    """Return one hash of every foreign kind."""
    return {
        "bcrypt 2a": bcrypt_hash(password, prefix="$2a"),
        "bcrypt 2b": bcrypt_hash(password),
        "bcrypt 2y": bcrypt_hash(password, prefix="$2y"),
        "argon2i": argon2_hash(password, Type.I),
        "argon2d": argon2_hash(password, Type.D),
        "argon2id": argon2_hash(password, Type.ID),
        "argon2i of version 16": argon2_hash(password, Type.I, version=16),
        "django": django_hash(password),
        "passlib sha256": passlib_hash(password, "sha256"),
        "passlib sha512": passlib_hash(password, "sha512"),
    }
