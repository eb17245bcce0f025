"""Searches in the order of creation: in the rows next in it, in spans of time, in everything."""

from dataclasses import dataclass

# Rows of the order looked through for each one wanted, to find them or tell how far to look.
_NEAR, _NEAR_AT_LEAST, _NEAR_AT_MOST = 25, 500, 5_000
# How many times as far as the near rows the first span reaches at most, for each match in them: who
# found none knows little. And how many times as far as that the longer one: what the first has less
# of is rare, and found in everything.
_FURTHER, _LONGER = 8, 40
# A span is made long enough for so many times what is wanted, and for some more: how many have been
# found is chance.
_AMPLE, _SPARE = 1.5, 40
# It is asked for in so many pieces of one width, and one more where it begins within one: what is
# beside it is read in vain.
_PIECES = 8

# The widths of spans; the migration `search_ages` indexes the expression. Each is counted from a
# second of its own, so that a span of one width is not taken for that of another.
_HOURS = (1, 4, 16, 64, 256, 1024, 4096)
_WIDTHS = tuple(
    (f"{hours} hours", f"1970-01-01 00:00:0{number}+00") for number, hours in enumerate(_HOURS)
)
_AGES = ", ".join(
    f"date_bin('{width}', {{table}}.created_at, '{start}')" for width, start in _WIDTHS
)
_VALUES = ", ".join(f"('{width}'::interval, '{start}'::timestamptz)" for width, start in _WIDTHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for: conditions and numbers as they stand in the text of a statement."""

    table: str
    # Which rows of the table, and what the words ask of a row at hand and of their index.
    where: str
    at_hand: str
    matches: str
    # DESC or ASC.
    way: str
    # How many matches are enough, and how many rows are near.
    enough: str
    near: str


def near(wanted: int) -> int:
    """Return how many rows are looked through one after the other when so many are wanted."""
    return min(max(_NEAR * wanted, _NEAR_AT_LEAST), _NEAR_AT_MOST)


def matching(search: Search) -> str:
    """Return tables of which `matching` has ids and sort values: all matches, or enough of them.

    Whatever matches beside these comes later in the order.
    """
    table, enough, sorting = search.table, search.enough, search.way
    rows = f"SELECT {table}.id, {table}.created_at AS sort_value"
    found = f"{rows} FROM {table} WHERE {search.where} AND {search.matches}"
    ages = f"ARRAY[{_AGES.format(table=table)}]"
    likely = f"({_AMPLE} * {enough} + {_SPARE})::float8 / (matches + 1)"
    return f"""near AS MATERIALIZED (
        {rows}, {search.at_hand} AS matches FROM {table} WHERE {search.where}
        ORDER BY {table}.created_at {sorting}, {table}.id {sorting} LIMIT {search.near}
    ), seen AS MATERIALIZED (
        SELECT matches >= {enough} OR rows < {search.near} AS suffices, oldest, newest,
            (newest - oldest) * least({_FURTHER} * (matches + 1), {likely}) AS reach
        FROM (
            SELECT count(*) AS rows, count(*) FILTER (WHERE matches) AS matches,
                min(sort_value) AS oldest, max(sort_value) AS newest
            FROM near
        ) AS counted
    ), span AS MATERIALIZED (
        {found} AND {ages} && {_reached("seen", search)}
    ), spanned AS MATERIALIZED (
        SELECT suffices OR matches >= {enough} AS suffices, oldest, newest,
            CASE WHEN {likely} <= {_LONGER} THEN reach * {likely} END AS reach
        FROM seen, (SELECT count(*) AS matches FROM span) AS counted
    ), longer AS MATERIALIZED (
        {found} AND {ages} && {_reached("spanned", search)}
    ), everything AS MATERIALIZED (
        {found} AND NOT (SELECT suffices FROM spanned) AND (SELECT count(*) FROM longer) < {enough}
    ), matching AS MATERIALIZED (
        SELECT id, sort_value FROM near WHERE matches AND (SELECT suffices FROM seen)
        UNION ALL SELECT * FROM span WHERE (SELECT count(*) FROM span) >= {enough}
        UNION ALL SELECT * FROM longer WHERE (SELECT count(*) FROM longer) >= {enough}
        UNION ALL SELECT * FROM everything
    )"""  # noqa: S608 - constants


def _reached(seen: str, search: Search) -> str:
    """Return the ages within reach; NULL, which nobody has, for too far or what suffices."""
    ends = ("newest - reach", "newest") if search.way == "DESC" else ("oldest", "oldest + reach")
    return f"""(
        SELECT ARRAY(SELECT generate_series(date_bin(width, {ends[0]}, start), {ends[1]}, width))
        FROM {seen} JOIN (VALUES {_VALUES}) AS widths (width, start) ON reach <= {_PIECES} * width
        WHERE NOT suffices ORDER BY width LIMIT 1
    )"""  # noqa: S608 - constants
