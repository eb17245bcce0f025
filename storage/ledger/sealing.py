"""What was taken out of the inbox becomes rows of the chain, whatever stands in it.

Nobody's event may keep the others from being sealed: facts that have no canonical form become one
text, and an event whose id the ledger has already gets another.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.ledger.chain import AS_TEXT, GENESIS, Sealed, check_facts, facts_of, personal_hash

# Tells the id that an event was noted under, where that was taken.
NOTED_AS = "noted_as"
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the chain with its hash, and what is kept beside it."""

    row: Sealed
    hash: bytes
    salt: bytes
    address: str | None


def chained(
    events: Sequence[Any], head: Mapping[str, Any], *, taken: Collection[UUID]
) -> list[Link]:
    """Return the rows that events become, after `head`, which has None for what is not there.

    It also says the `moment` of sealing. `taken` are ids that the ledger has already.
    """
    sequence, previous = head["sequence"] or 0, head["hash"] or GENESIS
    links = []
    for number, event in enumerate(events, sequence + 1):
        event_id, facts = event["id"], _sealable(event["facts"])
        if event_id in taken:
            event_id, facts = new_id(), facts | {NOTED_AS: str(event_id)}
        salt = os.urandom(_SALT_BYTES)
        row = Sealed(
            sequence=number,
            id=event_id,
            action=event["action"],
            outcome=event["outcome"],
            actor_kind=event["actor_kind"],
            actor_id=event["actor_id"],
            subject_id=event["subject_id"],
            request_id=event["request_id"],
            facts=facts,
            happened_at=event["happened_at"],
            sealed_at=head["moment"],
            personal_hash=personal_hash(salt, event["address"]),
            previous_hash=previous,
        )
        previous = row.hash
        links.append(Link(row, previous, salt, event["address"]))
    return links


def _sealable(text: str) -> dict[str, Any]:
    facts = facts_of(text)
    try:
        check_facts(facts)
    except ValueError:
        return {AS_TEXT: text}
    return facts
