"""The outbox: jobs promised in a transaction, kept until done; the truth of the whole pipeline."""

from storage.outbox.records import Depth, Due, OutsideTransaction, Promise, Room, Unsettled
from storage.outbox.repository import Outbox

__all__ = ["Depth", "Due", "Outbox", "OutsideTransaction", "Promise", "Room", "Unsettled"]
