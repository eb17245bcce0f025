"""Statements of lists, made of constants: what is asked for chooses among them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage import words
from storage.pages import ages
from storage.pages.arguments import Arguments
from storage.pages.walks import Apart, Group, Walk
from storage.pages.window import Window

# Rows are counted up to here; beyond, a total is a lower bound.
COUNTED = 10_000
# What matches a filter is found less quickly than what is merely next, and what matches a word less
# quickly than that; what matches several takes longer to be found than the page itself.
COUNTED_MATCHES = 200
COUNTED_FOUND = 100
# Rows of an order looked through for each one wanted, before a word's index is asked.
_NEAR, _NEAR_AT_MOST = 200, 20_000
# Of so many of the newest rows is taken how common a word is.
_SAMPLE = 2_000

_Conditions = Callable[..., Sequence[words.Condition]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """How ids and sort values are found: their rows, all put in order, and how many they are."""

    part: str
    sorting: str
    count: str
    # What the rows are taken from, where that is made for them.
    tables: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as constants of SQL: nothing of a caller's is ever part of a statement's text."""

    # What is selected: `{rows}` stands for the part of the table, `{order}` for the sort value.
    select: str
    table: str
    # Wire name of the order to its expression, never NULL, with an index on (expression, id), here
    # or in a table of its own.
    orders: Mapping[str, str]
    # Name of the filter to its condition; `$?` stands for the value.
    conditions: Mapping[str, str]
    # Holds for every row of the list, unless a filter of `instead` is given.
    always: str = "true"
    instead: frozenset[str] = frozenset()
    # Wire name of an order to the type of its value, where its name does not tell.
    kinds: Mapping[str, str] = field(default_factory=dict)
    # Wire name of an order to the table that has its index, where that is not the list's own.
    apart: Mapping[str, Apart] = field(default_factory=dict)
    # What filters name, in tables of their own; of several the first is walked.
    groups: Sequence[Group] = ()
    # Filters that few match, with an index of those: beside them no group is walked.
    rare: frozenset[str] = frozenset()
    # Orders of what is searched: in them, what a word matches lies together.
    alphabetical: frozenset[str] = frozenset()
    # The order whose index has what is searched, of a list too long for guesses of the planner.
    sampled: str = ""

    def page(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement and its arguments for one row more than the part has.

        That one row tells in `counted` what `count` finds, NULL where nothing is to be counted.
        """
        args = Arguments(hidden=self.is_settled(window))
        if self._is_by_age(window):
            found = self._by_age(window, args)
        elif self._is_looked_through(window):
            found = self._looked_through(window, args)
        else:
            found = self._walked(window, args)
        limit, offset = args.add(window.limit + 1, "bigint"), args.add(window.offset or 0, "bigint")
        # Rows that are skipped are not read: only their ids and sort values.
        rows = f"({found.part} {found.sorting} LIMIT {limit} OFFSET {offset}) AS part"
        # One after the other, by id: what is as good for any number of rows would read all people.
        row = f"SELECT * FROM {self.table} WHERE {self.table}.id = part.id OFFSET 0"  # noqa: S608
        rows += f" JOIN LATERAL ({row}) AS {self.table} ON true"
        select = self.select.replace("{rows}", rows).replace("{order}", "part.sort_value")
        listing = f"{select} {_sorting(window, 'part.sort_value', 'part.id')}"
        counted = "NULL::bigint"
        if self._is_counted(window):
            # Looked for only where rows follow: else what is there has been seen.
            last = args.add(window.limit, "bigint")
            counted = f"CASE WHEN row_number() OVER () > {last} THEN ({found.count}) END"
        text = f"{found.tables} SELECT listed.*, {counted} AS counted FROM ({listing}) AS listed"  # noqa: S608
        return text, args.values

    def _walked(self, window: Window, args: Arguments) -> _Found:
        """Find what is asked for in its order, by whatever index the planner takes."""
        walk = self._behind(self._walk(window, args), window, args)
        matches = self._conditions(words.indexed, window, args)
        return _Found(
            part=f"{walk.part} AND {matches}",
            count=self._counting(window, walk, matches),
            sorting=_sorting(window, walk.order, walk.row),
        )

    def _looked_through(self, window: Window, args: Arguments) -> _Found:
        """Find words among the first rows of the order, else by their index."""
        # What matches is read by itself, all of it: PostgreSQL takes it to be spread evenly over
        # every order, and would walk there, which took seconds in an alphabetical one.
        everything = self._behind(self._itself(window, args), window, args)
        matches = self._conditions(words.indexed, window, args)
        near, full = self._near(window, args)
        count = self._counting(window, everything, matches)
        if self._is_sampled(window) and self._is_counted(window):
            # What the newest have often is counted among them: to the planner, who does not see
            # the words, all of it is rare.
            at_hand = self._conditions(words.conditions, window, args)
            count = self._counting(window, everything, f"{at_hand} {self._newest()}")
        matching = f"{everything.part} AND {matches} AND NOT {full}"
        return _Found(
            tables=f"WITH {near}, matching AS MATERIALIZED ({matching})",
            part=f"SELECT * FROM near WHERE {full} UNION ALL SELECT * FROM matching",  # noqa: S608
            count=f"CASE WHEN {full} THEN ({count}) ELSE (SELECT count(*) FROM matching) END",  # noqa: S608
            sorting=_sorting(window, "sort_value", "id"),
        )

    def _walk(self, window: Window, args: Arguments) -> Walk:
        """Return what has an index in the order asked for."""
        if group := self._group(window):
            source = f"{group.table} JOIN {self.table} ON {self.table}.id = {group.row}"
            where = self._where(window, args, group)
            return Walk(source, group.row, group.order, where, (source, where))
        itself, apart = self._itself(window, args), self.apart.get(window.sort)
        if apart is None:
            return itself
        if itself.where == self.always and not window.words:
            source, where = apart.table, apart.always
        else:
            source = f"{apart.table} JOIN {self.table} ON {self.table}.id = {apart.row}"
            where = itself.where
        return Walk(source, apart.row, apart.order, where, itself.counted)

    def _itself(self, window: Window, args: Arguments) -> Walk:
        order, listed = self.orders[window.sort], self._where(window, args)
        return Walk(self.table, f"{self.table}.id", order, listed, (self.table, listed))

    def _group(self, window: Window) -> Group | None:
        if window.words or self.rare & window.filters.keys():
            return None
        asked = (group for group in self.groups if group.filter in window.filters)
        return next((group for group in asked if group.sort == window.sort), None)

    def _near(self, window: Window, args: Arguments) -> tuple[str, str]:
        """Return a table of what the first rows of the order have, and whether it is enough.

        Where a sample promises too little, they are not looked through.
        """
        wanted = window.limit + 1 + (window.offset or 0)
        near, enough = min(_NEAR * wanted, _NEAR_AT_MOST), args.add(wanted, "bigint")
        matches, promising = self._conditions(words.conditions, window, args), "true"
        within = window
        if self.instead & window.filters.keys():
            promising = "false"
        elif self.sampled:
            # Whatever is asked of them, no more rows than these are read.
            within = replace(window, filters={}, since=None, until=None)
            matches = " AND ".join([matches, *self._filters(window, args)])
            least = args.add(math.ceil(_SAMPLE * wanted / near), "bigint")
            promising = f"""(SELECT count(*) FROM (SELECT FROM (
                SELECT {matches} AS matches FROM {self.table} WHERE {self.always} {self._newest()}
                LIMIT {_SAMPLE}
            ) AS newest WHERE matches LIMIT {least}) AS sample) = {least}"""  # noqa: S608
            # The newest tell how common the words are, not how many are of that time.
            matches = " AND ".join([matches, *self._times(window, args)])
        first = self._behind(self._walk(within, args), window, args)
        table = f"""near AS MATERIALIZED (
            SELECT id, sort_value FROM (
                SELECT {first.row} AS id, {first.order} AS sort_value, {matches} AS matches
                FROM {first.source}
                WHERE {first.where} {_sorting(window, first.order, first.row)}
                LIMIT {args.add(near, "bigint")}
            ) AS first WHERE matches AND {promising} LIMIT {enough}
        )"""  # noqa: S608 - constants
        return table, f"(SELECT count(*) FROM near) = {enough}"  # noqa: S608

    def _newest(self) -> str:
        return _sorting(Window(), self.orders[self.sampled], f"{self.table}.id")

    def _by_age(self, window: Window, args: Arguments) -> _Found:
        """Find words in the order that their index has, too."""
        walk = self._behind(self._itself(window, args), window, args)
        wanted = window.limit + 1 + (window.offset or 0)
        enough = max(wanted, self.bound(window) + 1) if self._is_counted(window) else wanted
        search = ages.Search(
            table=self.table,
            where=walk.where,
            at_hand=self._conditions(words.conditions, window, args),
            matches=self._conditions(words.indexed, window, args),
            way=_way(window),
            enough=args.add(enough, "bigint"),
            near=args.add(ages.near(wanted), "bigint"),
        )
        return _Found(
            tables=f"WITH {ages.matching(search)}",
            part="SELECT * FROM matching",
            count="SELECT count(*) FROM matching",
            sorting=_sorting(window, "sort_value", "id"),
        )

    def _is_sampled(self, window: Window) -> bool:
        return bool(self.sampled) and not (window.filters or window.since or window.until)

    def is_settled(self, window: Window) -> bool:
        """Tell whether one plan is right for all values of its statements."""
        # Without a trigram the words' index would be read from its beginning to its end.
        return self._is_sampled(window) and words.have_trigrams(window.words)

    def _is_by_age(self, window: Window) -> bool:
        in_order = bool(window.words) and window.sort == self.sampled
        return in_order and self.is_settled(window)

    def _is_looked_through(self, window: Window) -> bool:
        if not window.words or self._is_by_age(window):
            return False
        return self._is_sampled(window) or window.sort in self.alphabetical

    def count(self, window: Window) -> tuple[str, list[Any]]:
        """Return the statement that counts, and no further than is quick."""
        args = Arguments()
        walk = self._walk(window, args)
        matches = self._conditions(words.indexed, window, args)
        return self._counting(window, walk, matches), args.values

    def _counting(self, window: Window, walk: Walk, matches: str) -> str:
        source, where = walk.counted
        rows = f"SELECT FROM {source} WHERE {where} AND {matches} LIMIT {self.bound(window) + 1}"
        return f"SELECT count(*) FROM ({rows}) AS counted"  # noqa: S608

    def _is_counted(self, window: Window) -> bool:
        return window.offset is not None and window.offset + window.limit < self.bound(window)

    @staticmethod
    def bound(window: Window) -> int:
        """Return up to which number the rows of a list are counted; 0: not at all."""
        if len(window.words) > 1:
            return 0
        if window.words:
            return COUNTED_FOUND
        return COUNTED_MATCHES if window.filters else COUNTED

    def _where(self, window: Window, args: Arguments, group: Group | None = None) -> str:
        parts = [] if self.instead & window.filters.keys() else [self.always]
        parts += self._filters(window, args, group)
        parts += self._times(window, args, group)
        return " AND ".join(parts) or "true"

    def _filters(self, window: Window, args: Arguments, group: Group | None = None) -> list[str]:
        conditions = self.conditions
        if group:
            conditions = {**conditions, group.filter: group.condition}
        return [args.narrow(conditions[name], value) for name, value in window.filters.items()]

    def _times(self, window: Window, args: Arguments, group: Group | None = None) -> list[str]:
        made = group.order if group else f"{self.table}.created_at"
        bounds = ((f"{made} >= $?", window.since), (f"{made} < $?", window.until))
        return [args.narrow(text, moment) for text, moment in bounds if moment]

    def _behind(self, walk: Walk, window: Window, args: Arguments) -> Walk:
        """Return what of it comes after the last row seen."""
        if window.after is None:
            return walk
        sign = "<" if window.descending else ">"
        kind = "timestamptz" if window.sort.endswith("At") else "text"
        kind = self.kinds.get(window.sort, kind)
        value = args.add(window.after.value, f"text::{kind}")
        last = f"({value}, {args.add(window.after.id, 'uuid')})"
        return replace(walk, where=f"{walk.where} AND ({walk.order}, {walk.row}) {sign} {last}")

    def _conditions(self, kind: _Conditions, window: Window, args: Arguments) -> str:
        found = kind(window.words, table=self.table)
        return " AND ".join(args.put(text, value) for text, value in found) or "true"


def _sorting(window: Window, order: str, row: str) -> str:
    way = _way(window)
    return f"ORDER BY {order} {way}, {row} {way}"


def _way(window: Window) -> str:
    return "DESC" if window.descending else "ASC"
