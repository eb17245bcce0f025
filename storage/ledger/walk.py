"""One walk along the chain: every row must follow from the one before and be what was sealed.

What a checkpoint has signed is proven; between two of them, which of two rows that do not fit was
touched is told by the row after them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.ledger.chain import GENESIS, Sealed, personal_hash, sealed_of


class BrokenError(Exception):
    """The chain breaks at a row."""

    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(reason)
        self.sequence = sequence
        self.reason = reason


@dataclass(slots=True)
class Walk:
    """Where a walk along the chain is, and what is known about the rows ahead."""

    # Hashes that genuine checkpoints give to rows: two different ones are two different chains.
    signed: dict[int, set[bytes]] = field(default_factory=dict)
    # Rows whose checkpoint in the database bears a signature that is not ours.
    forged: Collection[int] = ()
    sequence: int = 0
    hash: bytes = GENESIS
    checked: int = 0
    # The last row that a checkpoint has proven, and with it all rows before.
    proven: int = 0
    # A row that does not fit the one before: which of the two was touched, the next one tells.
    doubted: int | None = None

    def step(self, row: Mapping[str, Any]) -> None:
        """Go on to a row; raise BrokenError."""
        sequence = row["sequence"]
        self.settle(row)
        if sequence < 1:
            raise BrokenError(sequence, "it is not part of the chain")
        if sequence <= self.sequence:
            raise BrokenError(sequence, "there are two of it")
        sealed = _genuine(row)
        if sealed is None:
            raise BrokenError(sequence, "it was changed")
        if row["salt"] is not None and personal_hash(row["salt"], row["address"]) != (
            sealed.personal_hash
        ):
            raise BrokenError(sequence, "its personal data were changed")
        if sealed.previous_hash != self.hash:
            self._doubt(sequence, row["hash"])
        self.sequence, self.hash = sequence, row["hash"]
        self.checked += 1
        if self.doubted is None:
            self.agree()

    def leap(self, through: int, row_hash: bytes) -> None:
        """Take the rows up to one as rightly gone, its hash as proven; raise BrokenError."""
        self.sequence, self.hash = through, row_hash
        self.agree()
        self.proven = through

    def settle(self, following: Mapping[str, Any] | None) -> None:
        """Raise BrokenError for a row in doubt, or the one before it, by what follows."""
        if self.doubted is None:
            return
        fits = (
            following is not None
            and following["sequence"] == self.doubted + 1
            and following["previous_hash"] == self.hash
        )
        raise BrokenError(self.doubted - 1 if fits else self.doubted, "it was changed")

    def agree(self) -> None:
        """Compare the row reached with what was signed; raise BrokenError."""
        if self.sequence in self.forged:
            raise BrokenError(self.sequence, "its checkpoint was forged")
        hashes = self.signed.pop(self.sequence, None)
        if hashes is None:
            return
        if hashes != {self.hash}:
            raise BrokenError(
                self.sequence,
                "it is not what a checkpoint has signed:"
                f" rows were written anew, the first of them after row {self.proven}",
            )
        self.proven = self.sequence

    def _doubt(self, sequence: int, row_hash: bytes) -> None:
        hashes = self.signed.get(sequence)
        if self.proven == sequence - 1 or (hashes and hashes != {row_hash}):
            raise BrokenError(sequence, "it was changed")
        if hashes:
            raise BrokenError(sequence - 1, "it was changed")
        self.doubted = sequence


def _genuine(row: Mapping[str, Any]) -> Sealed | None:
    try:
        sealed = sealed_of(row)
        return sealed if sealed.hash == row["hash"] else None
    except (ValueError, TypeError, AttributeError):  # by force, anything can stand there
        return None
