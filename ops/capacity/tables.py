"""What a row takes on disk with its indexes, and how many rows there will be.

Bytes were measured by pg_total_relation_size, less that of the empty table, after VACUUM: those of
people while 70,000 were added bit by bit, others after 420 registrations, sign-ins and letters over
HTTP. Indexes that are made anew take a sixth less.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ops.capacity.costs import Work
from ops.capacity.demand import DAY, Demand
from ops.settings import Settings

# Rows that were changed or deleted hold their place until autovacuum came by.
SLACK = 1.3
# Each from a browser and an app.
_DEVICES_PER_USER = 2
# The clock deletes what ended so many days ago (`docs/clock.md`).
_KEPT_AFTER_ITS_END = 30
# Of what is kept for ever, so many days are told.
A_YEAR = 365

BYTES: Mapping[str, int] = {
    "users": 1_100,
    "user_last_logins": 170,
    "user_changes": 160,
    "user_roles": 225,
    "devices": 490,
    "sessions": 670,
    "email_verification_tokens": 760,
    "letters": 680,
    "outbox": 900,
    "audit_ledger": 770,
    "audit_personal": 190,
}


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table: rows once as many go as come, and bytes with indexes."""

    name: str
    rows: float
    bytes: float


def tables(demand: Demand, settings: Settings) -> list[TableSize]:
    """Return what every table that grows will take; the smallest ones are left out."""
    daily = demand.a_day(settings)
    letters = daily[Work.LETTER]
    session_days = settings.refresh_token_ttl / DAY + _KEPT_AFTER_ITS_END
    audit_days = settings.audit_retention / DAY or A_YEAR
    rows = {
        "users": demand.users,
        "user_last_logins": demand.users,
        "user_changes": demand.users,
        "user_roles": demand.users,
        "devices": demand.users * _DEVICES_PER_USER,
        "sessions": daily[Work.LOGIN] * session_days,
        # Most letters carry a token.
        "email_verification_tokens": letters * _KEPT_AFTER_ITS_END,
        "letters": letters * settings.letter_retention / DAY,
        "outbox": letters * settings.outbox_retention / DAY,
        "audit_ledger": daily[Work.EVENT] * audit_days,
        "audit_personal": daily[Work.EVENT] * audit_days,
    }
    return [TableSize(name, count, count * BYTES[name] * SLACK) for name, count in rows.items()]
