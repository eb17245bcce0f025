"""What lists are read from: their own table, or another that has the order by an index."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A table of an order's own, with a row for each row of the list.

    What changes often is indexed there: a change leaves the indexes of the list's table alone.
    """

    table: str
    # The id of the list's row.
    row: str
    order: str
    # What the list's `always` asks, of the columns of this table.
    always: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A table of what a filter names, walked in place of the list's where it has the order."""

    filter: str
    table: str
    # The id of the list's row.
    row: str
    # What the filter asks, of the columns of this table; `$?` stands for the value.
    condition: str
    # The wire name of the order, and its expression here; dates are asked of it, too.
    sort: str
    order: str


@dataclass(frozen=True, slots=True)
class Walk:
    """What is put in order: tables, the id and the sort value of their rows, which are listed."""

    source: str
    row: str
    order: str
    where: str
    # Tables and rows that are as many, for counting.
    counted: tuple[str, str]

    @property
    def part(self) -> str:
        """Return the statement of all of it."""
        rows = f"SELECT {self.row} AS id, {self.order} AS sort_value FROM {self.source}"  # noqa: S608
        return f"{rows} WHERE {self.where}"
