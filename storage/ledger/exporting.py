"""The export: the ledger as JSON lines, each with all that it takes to hash it again."""

from collections.abc import Mapping
from typing import Any

import orjson

from storage.ledger.chain import stored


def export_line(row: Mapping[str, Any]) -> bytes:
    """Return a row of `AuditTrail.sealed_batch` as one line of JSON, its end included.

    `event` is the canonical object, byte for byte what `hash` is the SHA-256 of, unless the row was
    changed by force; `salt` and `address` are null once they were erased.
    """
    salt: bytes | None = row["salt"]
    return orjson.dumps(
        {
            "event": orjson.Fragment(stored(row).canonical()),
            "hash": row["hash"].hex(),
            "salt": salt.hex() if salt is not None else None,
            "address": row["address"],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
