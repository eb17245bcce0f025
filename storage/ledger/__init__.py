"""The audit ledger: sealed events, chained and signed, so that a change shows."""

from storage.ledger.checkpoints import Checkpoint, Notary
from storage.ledger.repository import Ledger

__all__ = ["Checkpoint", "Ledger", "Notary"]
