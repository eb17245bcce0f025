"""`python -m storage audit keys`: what others verify checkpoints with."""

import json

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ops.crypto import KeyRing
from storage.ledger.checkpoints import Notary


def public_keys(keys: KeyRing) -> dict[str, str]:
    """Return the public half of every signing key as PEM (RFC 8410), by key id."""
    notary = Notary(keys)
    return {
        key_id: notary.public_key(key_id)
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for key_id in notary.key_ids
    }


def told(keys: KeyRing) -> str:
    """Return them as one JSON object: texts that `jq -r` makes files of."""
    return json.dumps(public_keys(keys), indent=2)
