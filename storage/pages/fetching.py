"""Reads parts of lists, and counts them where that is cheap."""

from collections.abc import Sequence
from typing import Any, Protocol

from storage.pages.window import Cursor, Page, Window


class Statements(Protocol):
    """What a list is read by: rows have an `id`, a `sort_value`, perhaps what is `counted`."""

    @property
    def table(self) -> str:
        """What is listed: the name of the list among operations."""

    def page(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement and its arguments for one row more than the part has."""

    def count(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement that counts up to one more than `bound`."""

    def bound(self, window: Window) -> int:
        """Return up to which number rows are counted; 0: not at all."""

    def is_settled(self, window: Window) -> bool:
        """Tell whether one plan is right for all values of the statement of a page."""


async def fetch_page(
    connection: Any, listing: Statements, window: Window, make: Any
) -> "Page[Any]":
    """Return a part of a list, each row made a record by `make`."""
    statement, args = listing.page(window)
    operation = f"{listing.table}.page"
    if listing.is_settled(window):
        rows = await connection.fetch_named(operation, statement, args)
    else:
        rows = await fetch_planned(connection, statement, args, operation=operation)
    has_next = len(rows) > window.limit
    facts = [dict(row) for row in rows]
    counts = [item.pop("counted", None) for item in facts]
    rows, facts = rows[: window.limit], facts[: window.limit]
    values = [item.pop("sort_value") for item in facts]
    total, exact = None, True
    if window.offset is not None:
        total = window.offset + len(rows)
        if has_next or (window.offset and not rows):
            least = total + 1 if rows else 0
            counted = counts[-1] if counts else None
            total, exact = await _total(connection, listing, window, least=least, counted=counted)
    last = Cursor(values[-1], facts[-1]["id"]) if has_next else None
    return Page(
        items=[make(**item) for item in facts],
        has_next=has_next,
        next=last,
        total=total,
        total_is_exact=exact,
    )


async def fetch_planned(
    connection: Any, statement: str, args: Sequence[Any], *, operation: str
) -> Any:
    """Have a statement planned for these very values: PostgreSQL learns no name, keeps no plan.

    `operation` is its name in metrics and logs (`storage/operations.py`).

    What is rare and what is common wants another index, and a plan that was made for neither takes
    a thousand times as long; PostgreSQL turns to one when it sees a named statement a sixth time.
    """
    return await connection.fetch_planned(operation, statement, args)


async def _total(
    connection: Any, listing: Statements, window: Window, *, least: int, counted: int | None
) -> tuple[int, bool]:
    """Return the total where rows follow, or a lower bound of it, and whether it is exact."""
    bound = listing.bound(window)
    if least > bound:
        return least, False
    if counted is None:
        statement, args = listing.count(window)
        operation = f"{listing.table}.count"
        [row] = await fetch_planned(connection, statement, args, operation=operation)
        counted = int(row["count"])
    return (counted, True) if counted <= bound else (max(bound, least, 1), False)
