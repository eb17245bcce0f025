"""Search of the audit trail: ledger and inbox as one list, in the order in which things happened.

The order is that of the ids, which are times (UUIDv7) and stay the same when an event is sealed.
Both tables are read by one statement, of one moment: what moves between them meanwhile is found in
one of them, and only there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from storage.ledger.chain import facts_of, stored
from storage.ledger.records import Actions, AuditEvent, AuditRecord, ChainLink, EventNotFound
from storage.pages import COUNTED, COUNTED_MATCHES, Page, Window, fetch_page, fetch_planned

_EVENT = "id, action, outcome, actor_kind, actor_id, subject_id, request_id, facts, happened_at"
# Facts as text: what is hashed again must be what stands there, whatever a reader makes of it. By
# force, a time that Python does not have can stand there: shown is the nearest.
_RECORD = _EVENT.replace("facts", "facts::text AS facts").replace(
    "happened_at", "greatest(least(happened_at, '9998-01-01Z'), '0002-01-01Z') AS happened_at"
)
_LINK = """greatest(least(sealed_at, '9998-01-01Z'), '0002-01-01Z') AS sealed_at,
    personal_hash, previous_hash, hash, salt"""

# By name of the filter; `$?` stands for the value.
_CONDITIONS = {
    "subject": "subject_id = $?",
    "actor": "actor_id = $?",
    "actorKind": "actor_kind = $?",
    "outcome": "outcome = $?",
    "requestId": "request_id = $?",
    "address": "address = $?",
}
_NAME, _NAMES = "action = $?", "action = ANY($?)"
_NOUN, _NOUNS = "split_part(action, '.', 1) = $?", "split_part(action, '.', 1) = ANY($?)"

# A process whose clock was set back goes on with ids from before (ops/ids.py).
_CLOCK_SET = timedelta(hours=1)
# Clocks of two machines may differ by so much; months that ended before are not looked at.
_SEALED_EARLIER = timedelta(days=1)
_LARGEST_STAMP = (1 << 48) - 1

BY_ID = f"""
SELECT sequence, {_RECORD}, {_LINK}, address
FROM audit_ledger LEFT JOIN audit_personal ON event_id = id WHERE id = $1
UNION ALL
SELECT NULL, {_RECORD}, NULL, NULL, NULL, NULL, NULL, address FROM audit_inbox WHERE id = $1
LIMIT 1
"""  # noqa: S608 - only our own constants are put in

# The first and the last row, and the newest event that waits.
ENDS = """
SELECT (SELECT min(sequence) FROM audit_ledger), (SELECT max(sequence) FROM audit_ledger),
    (SELECT id FROM audit_inbox ORDER BY id DESC LIMIT 1)
"""

# What a page shows of its rows.
_SHOWN = f"""part.sequence, {", ".join(f"part.{name}" for name in _EVENT.split(", "))},
    coalesce(part.address, audit_personal.address) AS address, part.id::text AS sort_value"""

_NAMES_OF_EVENT = tuple(item.name for item in fields(AuditEvent))


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk along what matches has come: a row of the chain, or an event that waits."""

    sequence: int
    sealed_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Ends:
    """What there is to walk; None for a table that is empty."""

    first: int | None
    last: int | None
    newest: UUID | None


class AuditTrail:
    """What happened, for who may see it: read here, written elsewhere."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def page(self, window: Window) -> Page[AuditEvent]:
        """Return a part of the list of events.

        Filters: `subject`, `actor`, `action` (an Actions), `outcome`, `address`, `requestId`,
        `actorKind`, `sealed`.
        """
        return await fetch_page(self._connection, _Trail(), window, _event)

    async def by_id(self, event_id: UUID) -> AuditRecord:
        """Return an event with its place in the chain; raise EventNotFound."""
        row = await self._connection.fetchrow(BY_ID, event_id)
        if row is None:
            raise EventNotFound
        event = {name: row[name] for name in _NAMES_OF_EVENT}
        event["facts"] = facts_of(row["facts"])
        if row["hash"] is None:
            return AuditRecord(**event, link=None)
        link = ChainLink(row=stored(row), hash=row["hash"], salt=row["salt"])
        return AuditRecord(**event, link=link)

    async def ends(self) -> Ends:
        """Return between which rows a walk goes that begins now."""
        return Ends(*await self._connection.fetchrow(ENDS))

    async def sealed_batch(
        self, window: Window, after: Place, *, through: int, limit: int
    ) -> list[Any]:
        """Return rows of the chain that match, with what it takes to hash them; see `Place`."""
        statement, args = sealed_batch(window, after, through=through, limit=limit)
        return await self._batch("audit_trail.sealed_batch", statement, args)

    async def waiting_batch(
        self, window: Window, after: Place, *, through: UUID, limit: int
    ) -> list[Any]:
        """Return events that match and wait, the oldest first."""
        statement, args = waiting_batch(window, after, through=through, limit=limit)
        return await self._batch("audit_trail.waiting_batch", statement, args)

    async def _batch(self, operation: str, statement: str, args: list[Any]) -> list[Any]:
        found: list[Any] = await fetch_planned(
            self._connection, statement, args, operation=operation
        )
        return found


def _event(**shown: Any) -> AuditEvent:
    return AuditEvent(**shown | {"facts": facts_of(shown["facts"])})


class _Trail:
    """Statements of the list."""

    table = "audit_trail"

    def page(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement and its arguments for one row more than the part has."""
        text = _Text()
        if window.after:
            text.add("id < $?" if window.descending else "id > $?", window.after.id)
        text.narrow(window)
        direction = "DESC" if window.descending else "ASC"
        offset = window.offset or 0
        most = text.value(window.limit + 1 + offset)
        tail = f"ORDER BY id {direction} LIMIT {most}"
        parts = " UNION ALL ".join(f"({part} {tail})" for part in text.parts(window))
        rows = (
            f"SELECT * FROM ({parts}) AS matching ORDER BY id {direction}"  # noqa: S608 - constants
            f" LIMIT {text.value(window.limit + 1)} OFFSET {text.value(offset)}"
        )
        statement = (
            f"SELECT {_SHOWN} FROM ({rows}) AS part"  # noqa: S608 - constants
            f" LEFT JOIN audit_personal ON event_id = part.id ORDER BY part.id {direction}"
        )
        return statement, text.args

    def count(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement that counts, and no further than is quick."""
        text = _Text()
        text.narrow(window)
        tail = f"LIMIT {self.bound(window) + 1}"
        parts = " UNION ALL ".join(f"({part} {tail})" for part in text.parts(window))
        return f"SELECT count(*) FROM ({parts}) AS counted", text.args  # noqa: S608 - constants

    @staticmethod
    def bound(window: Window) -> int:
        """Return up to which number events are counted."""
        return COUNTED_MATCHES if window.filters else COUNTED

    @staticmethod
    def is_settled(_window: Window) -> bool:
        """Tell that every part is planned for its values."""
        return False


def sealed_batch(
    window: Window, after: Place, *, through: int, limit: int
) -> tuple[str, list[Any]]:
    """Return the statement of `AuditTrail.sealed_batch` and its arguments."""
    text = _Text()
    after_it = (text.value(after.sequence), text.value(after.sealed_at))
    text.where.append(f"(sequence, sealed_at) > ({', '.join(after_it)})")
    text.add("sequence <= $?", through)
    text.narrow(window)
    where = " AND ".join([*text.where, *text.of_ledger])
    statement = (
        f"SELECT sequence, {_RECORD}, {_LINK}, address"  # noqa: S608 - constants
        " FROM audit_ledger LEFT JOIN audit_personal ON event_id = id"
        f" WHERE {where} ORDER BY sequence, audit_ledger.sealed_at LIMIT {text.value(limit)}"
    )
    return statement, text.args


def waiting_batch(
    window: Window, after: Place, *, through: UUID, limit: int
) -> tuple[str, list[Any]]:
    """Return the statement of `AuditTrail.waiting_batch`; its window has `sealed` false."""
    text = _Text()
    text.add("id > $?", after.id)
    text.add("id <= $?", through)
    text.narrow(window)
    where = " AND ".join(text.where)
    statement = (
        f"SELECT {_RECORD}, address FROM audit_inbox"  # noqa: S608 - constants
        f" WHERE {where} ORDER BY id LIMIT {text.value(limit)}"
    )
    return statement, text.args


class _Text:
    """Conditions of a statement, and its arguments."""

    def __init__(self) -> None:
        self.args: list[Any] = []
        self.where: list[str] = []
        # What holds for rows of the ledger only.
        self.of_ledger: list[str] = []

    def value(self, value: Any) -> str:
        """Add an argument; return what stands for it."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add(self, condition: str, value: Any) -> None:
        """Add a condition whose `$?` is the value."""
        self.where.append(condition.replace("$?", self.value(value)))

    def narrow(self, window: Window) -> None:
        """Add what the window asks for, save `sealed`, which chooses among the tables."""
        for name, value in window.filters.items():
            if isinstance(value, Actions):
                either = [
                    condition.replace("$?", self.value(chosen))
                    for condition, chosen in _of_actions(value)
                ]
                self.where.append(f"({' OR '.join(either)})")
            elif name != "sealed":
                self.add(_CONDITIONS[name], value)
        if window.since:
            self.add("happened_at >= $?", window.since)
            self.add("id >= $?", _id_of(window.since, -_CLOCK_SET))
            if window.filters.get("sealed") is not False:
                self.of_ledger.append(f"sealed_at >= {self.value(_before(window.since))}")
        if window.until:
            self.add("happened_at < $?", window.until)
            self.add("id <= $?", _id_of(window.until, _CLOCK_SET))

    def parts(self, window: Window) -> Iterator[str]:
        """Give the SELECT of each table that the window asks for."""
        wanted = window.filters.get("sealed")
        where = " AND ".join(self.where) or "true"
        if wanted is not False:
            by_address = "address" in window.filters
            table = "audit_ledger JOIN audit_personal ON event_id = id"
            yield (
                f"SELECT sequence, {_RECORD}, {'address' if by_address else 'NULL AS address'}"  # noqa: S608 - constants
                f" FROM {table if by_address else 'audit_ledger'}"
                f" WHERE {' AND '.join([where, *self.of_ledger])}"
            )
        if wanted is not True:
            yield (
                f"SELECT NULL::bigint AS sequence, {_RECORD}, address FROM audit_inbox"  # noqa: S608 - constants
                f" WHERE {where}"
            )


def _of_actions(wanted: Actions) -> Iterator[tuple[str, Any]]:
    """Give conditions of which one must hold; one name alone can be read in order of an index."""
    for values, one, several in ((wanted.names, _NAME, _NAMES), (wanted.nouns, _NOUN, _NOUNS)):
        if len(values) == 1:
            yield one, values[0]
        elif values:
            yield several, list(values)


def _id_of(moment: datetime, slack: timedelta) -> UUID:
    """Return the bound of ids made at a moment, give or take what clocks are wrong by."""
    milliseconds = int((moment.timestamp() + slack.total_seconds()) * 1000)
    return UUID(int=min(max(milliseconds, 0), _LARGEST_STAMP) << 80)


def _before(moment: datetime) -> datetime:
    earliest = datetime.min.replace(tzinfo=UTC)
    return moment - _SEALED_EARLIER if moment - earliest > _SEALED_EARLIER else earliest
