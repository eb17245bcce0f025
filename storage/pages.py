"""Page, Cursor, Window: parts of long lists, each as cheap as the first.

A list is walked by *keyset*: the next part begins after the sort value and id of the last row seen,
at any depth for the same price. A page number costs what it skips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from storage import words

T = TypeVar("T")

# Rows are counted up to here; beyond, a total is a lower bound.
COUNTED = 10_000
# What matches a filter or a search is found less quickly than what is merely next; what matches
# several words takes longer to be found than the page itself.
COUNTED_MATCHES = 200
# Rows of an alphabetical order looked through for each one wanted, before a word's index is asked.
_NEAR, _NEAR_AT_MOST = 200, 20_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row seen: its sort value, as PostgreSQL writes it, and its id."""

    value: str
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a list, in which order, of which rows."""

    sort: str = "createdAt"
    descending: bool = True
    limit: int = 20
    # Rows to skip, by page number; None when a cursor says where to go on.
    offset: int | None = 0
    after: Cursor | None = None
    # Name of the filter to the value wanted; tuples mean any of them.
    filters: Mapping[str, Any] = field(default_factory=dict)
    # Every one must be found: from three letters on anywhere, shorter at the start of a word.
    words: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list; `total` only where it was asked for by page number."""

    items: Sequence[T]
    has_next: bool
    # Where the next part begins; None at the end.
    next: Cursor | None
    total: int | None = None
    total_is_exact: bool = True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as constants of SQL: nothing of a caller's is ever part of a statement's text."""

    # What is selected: `{rows}` stands for the part of the table, `{order}` for the sort value.
    select: str
    table: str
    # Wire name of the order to its expression, never NULL, with an index on (expression, id).
    orders: Mapping[str, str]
    # Name of the filter to its condition; `$?` stands for the value.
    conditions: Mapping[str, str]
    # Holds for every row of the list, unless a filter of `instead` is given.
    always: str = "true"
    instead: frozenset[str] = frozenset()
    # Wire name of an order to the type of its value, where its name does not tell.
    kinds: Mapping[str, str] = field(default_factory=dict)
    # Orders of what is searched: in them, what a word matches lies together.
    alphabetical: frozenset[str] = frozenset()

    def page(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement and its arguments for one row more than the part has.

        That one row tells in `counted` what `count` finds, NULL where nothing is to be counted.
        """
        where, args = self._where(window)
        matches, args = self._matches(window, args)
        counted = "NULL::bigint"
        if self._is_counted(window):
            rows = f"SELECT FROM {self.table} WHERE {where} AND {matches}"
            args.append(window.limit)
            # Looked for only where rows follow: else what is there has been seen.
            counted = f"""CASE WHEN row_number() OVER () > ${len(args)}
                THEN ({self._counting(window, rows)}) END"""
        if window.after:
            args += [window.after.value, window.after.id]
            sign = "<" if window.descending else ">"
            kind = "timestamptz" if window.sort.endswith("At") else "text"
            kind = self.kinds.get(window.sort, kind)
            where += (
                f" AND ({self.orders[window.sort]}, {self.table}.id) {sign} "
                f"(${len(args) - 1}::text::{kind}, ${len(args)})"
            )
        args += [window.limit + 1, window.offset or 0]
        part = self._part(window, where, matches, slots=(len(args) - 1, len(args)))
        rows = f"({part}) AS part JOIN {self.table} ON {self.table}.id = part.id"
        select = self.select.replace("{rows}", rows).replace("{order}", "part.sort_value")
        listed = f"{select} ORDER BY part.sort_value {_way(window)}, part.id {_way(window)}"
        return f"SELECT listed.*, {counted} AS counted FROM ({listed}) AS listed", args  # noqa: S608

    def _part(self, window: Window, where: str, matches: str, *, slots: tuple[int, int]) -> str:
        """Return the part's ids and sort values: rows that are skipped are not read for them.

        PostgreSQL takes what a word matches to be spread evenly over every order, and walks there;
        in an alphabetical one that took seconds. There, the first rows are looked through; what
        does not fill the part is found by the words' index, all of it, and sorted.
        """
        order, (limit, offset) = self.orders[window.sort], slots
        rows = f"SELECT {self.table}.id, {order} AS sort_value"
        cut = f"LIMIT ${limit} OFFSET ${offset}"
        sorting = f"ORDER BY {order} {_way(window)}, {self.table}.id {_way(window)}"
        if not window.words or window.sort not in self.alphabetical:
            return f"{rows} FROM {self.table} WHERE {where} AND {matches} {sorting} {cut}"
        wanted = f"${limit}::bigint + ${offset}"
        return f"""
            WITH near AS MATERIALIZED (
                SELECT id, sort_value FROM (
                    {rows}, {matches} AS matches FROM {self.table} WHERE {where} {sorting}
                    LIMIT least({_NEAR} * ({wanted}), {_NEAR_AT_MOST})
                ) AS first WHERE matches LIMIT {wanted}
            )
            SELECT id, sort_value FROM near WHERE (SELECT count(*) FROM near) = {wanted}
            UNION ALL
            SELECT id, sort_value FROM (
                {rows} FROM {self.table} WHERE {where} AND {matches} OFFSET 0
            ) AS found WHERE (SELECT count(*) FROM near) < {wanted}
            ORDER BY sort_value {_way(window)}, id {_way(window)} {cut}
        """  # noqa: S608 - constants

    def count(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement that counts, and no further than is quick."""
        where, args = self._where(window)
        matches, args = self._matches(window, args)
        return self._counting(window, f"SELECT FROM {self.table} WHERE {where} AND {matches}"), args

    def _counting(self, window: Window, rows: str) -> str:
        return f"SELECT count(*) FROM ({rows} LIMIT {self.bound(window) + 1}) AS counted"  # noqa: S608

    def _is_counted(self, window: Window) -> bool:
        return window.offset is not None and window.offset + window.limit < self.bound(window)

    @staticmethod
    def bound(window: Window) -> int:
        """Return up to which number the rows of a list are counted; 0: not at all."""
        if len(window.words) > 1:
            return 0
        return COUNTED_MATCHES if window.filters or window.words else COUNTED

    def _where(self, window: Window) -> tuple[str, list[Any]]:
        args: list[Any] = []
        parts = [] if self.instead & window.filters.keys() else [self.always]

        def add(condition: str, value: Any) -> None:
            args.append(value)
            parts.append(condition.replace("$?", f"${len(args)}"))

        for name, value in window.filters.items():
            add(self.conditions[name], value)
        if window.since:
            add(f"{self.table}.created_at >= $?", window.since)
        if window.until:
            add(f"{self.table}.created_at < $?", window.until)
        return " AND ".join(parts) or "true", args

    def _matches(self, window: Window, args: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the condition of the words, and its arguments after those given."""
        parts, args = [], [*args]
        for word in window.words:
            for condition, value in words.conditions(word, table=self.table):
                args.append(value)
                parts.append(condition.replace("$?", f"${len(args)}"))
        return " AND ".join(parts) or "true", args


def _way(window: Window) -> str:
    return "DESC" if window.descending else "ASC"


def pattern_of(word: str) -> str:
    """Return the LIKE pattern of a word, for lists short enough to be looked through.

    `search_text` has a space before every word of it: one and two letters start a word.
    """
    literal = words.literal(word.lower())
    return f"%{literal}%" if len(word) > 2 else f"% {literal}%"  # noqa: PLR2004 - a trigram


async def fetch_page(
    connection: Any, listing: Statements, window: Window, make: Any
) -> "Page[Any]":
    """Return a part of a list, each row made a record by `make`."""
    statement, args = listing.page(window)
    operation = f"{listing.table}.page"
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
    return (counted, True) if counted <= bound else (max(bound, least), False)
