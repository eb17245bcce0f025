"""Key pairs of every algorithm: how they are made, and the bytes they are kept as.

EdDSA is Ed25519 (RFC 8032), ES256 is ECDSA on P-256, RS256 is RSA with 3,072 bits: the size that
is as strong as the other two (NIST SP 800-57), at 2 ms a signature. 2,048 bits are weaker, 4,096
cost 5 ms and make every token 170 characters longer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from ops.settings import TokenAlgorithm

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

_RSA_BITS = 3_072
_RSA_EXPONENT = 65_537


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves as they are kept: raw for Ed25519, SPKI and PKCS #8 in DER for the others."""

    algorithm: TokenAlgorithm
    public: bytes
    private: bytes = field(repr=False)


_MAKERS: dict[TokenAlgorithm, Callable[[], PrivateKey]] = {
    TokenAlgorithm.EDDSA: Ed25519PrivateKey.generate,
    TokenAlgorithm.ES256: lambda: generate_private_key(SECP256R1()),
    TokenAlgorithm.RS256: lambda: generate_rsa(_RSA_EXPONENT, _RSA_BITS),
}


async def make_pair(algorithm: TokenAlgorithm) -> KeyPair:
    """Make a pair in a thread: RSA looks for its primes for up to a second."""
    return await asyncio.to_thread(_make, algorithm)


def read_private(algorithm: TokenAlgorithm, data: bytes) -> PrivateKey:
    """Return the private half that was kept; raise ValueError when it is of another algorithm."""
    if algorithm is TokenAlgorithm.EDDSA:
        return Ed25519PrivateKey.from_private_bytes(data)
    # Validating takes 0.1 s of the event loop; the envelope proved that these bytes are ours.
    key = load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    if algorithm is TokenAlgorithm.ES256 and isinstance(key, EllipticCurvePrivateKey):
        return key
    if algorithm is TokenAlgorithm.RS256 and isinstance(key, RSAPrivateKey):
        return key
    raise ValueError(f"this is no {algorithm} key")


def read_public(algorithm: TokenAlgorithm, data: bytes) -> PublicKey:
    """Return the public half that was kept; raise ValueError when it is of another algorithm."""
    if algorithm is TokenAlgorithm.EDDSA:
        return Ed25519PublicKey.from_public_bytes(data)
    key = load_der_public_key(data)
    if algorithm is TokenAlgorithm.ES256 and isinstance(key, EllipticCurvePublicKey):
        return key
    if algorithm is TokenAlgorithm.RS256 and isinstance(key, RSAPublicKey):
        return key
    raise ValueError(f"this is no {algorithm} key")


def _make(algorithm: TokenAlgorithm) -> KeyPair:
    private = _MAKERS[algorithm]()
    public = private.public_key()
    if algorithm is TokenAlgorithm.EDDSA:
        return KeyPair(
            algorithm,
            public.public_bytes(Encoding.Raw, PublicFormat.Raw),
            private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
        )
    return KeyPair(
        algorithm,
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )
