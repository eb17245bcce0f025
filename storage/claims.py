"""A claim on an idempotency key: what a transaction finishes with its result."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One request's hold on a key; `result` is there when the work was done before."""

    id: bytes
    holder: UUID
    secret: bytes = field(repr=False)
    result: dict[str, Any] | None = None
