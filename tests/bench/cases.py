"""What is asked of the list of users, each kind in several ways."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from storage.pages import Cursor, Window
from storage.users.listing import LIST

_DEPTHS = (0.01, 0.1, 0.5, 0.9, 0.99)
_ROWS = (0, 1_000, 5_000, 9_980)
_BEYOND = 100_000

_AT = """
SELECT ({order})::text AS value, id FROM users WHERE deleted_at IS NULL
ORDER BY {order}, id OFFSET $1 LIMIT 1
"""
_ROLES = "SELECT name, id FROM roles"
_TEAMS = """
SELECT team_id, count(*) FROM team_members GROUP BY team_id ORDER BY 2 DESC
"""
_SOMEBODY = """
SELECT id, email, created_at FROM users WHERE deleted_at IS NULL
ORDER BY created_at DESC OFFSET (SELECT count(*) / 3 FROM users) LIMIT 20
"""
_LIVING = "SELECT count(*) FROM users WHERE deleted_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to ask, again and again: `kind` groups cases in the report."""

    kind: str
    name: str
    window: Window
    # The same over HTTP; a cursor of `window.after` is added where it is asked.
    query: Mapping[str, str]
    # Beyond what is promised: measured and shown, not judged.
    promised: bool = True


async def all_cases(owner: Any) -> list[Case]:
    """Return every case for the people that are there."""
    return [
        *[case async for case in _cursors(owner)],
        *_pages(),
        *await _filters(owner),
        *_searches(),
    ]


async def _cursors(owner: Any) -> Any:
    living = await owner.fetchval(_LIVING)
    for sort, order in LIST.orders.items():
        for descending in (True, False):
            way = "desc" if descending else "asc"
            window = Window(sort=sort, descending=descending, offset=None)
            query = {"sort": sort, "order": way, "cursor": ""}
            yield Case(kind="cursor", name=f"{sort} {way}, first", window=window, query=query)
            for depth in _DEPTHS:
                row = await owner.fetchrow(_AT.format(order=order), int(living * depth))
                after = Cursor(row["value"], row["id"])
                name = f"{sort} {way}, at {depth:.0%}"
                deep = replace(window, after=after)
                yield Case(kind="cursor", name=name, window=deep, query=query)


def _pages() -> Iterator[Case]:
    for sort in LIST.orders:
        for row in (*_ROWS, _BEYOND):
            window = Window(sort=sort, offset=row)
            query = {"sort": sort, "page": str(row // window.limit + 1)}
            yield Case(
                kind="page",
                name=f"{sort}, from row {row:,}",
                window=window,
                query=query,
                promised=row < _BEYOND,
            )


async def _filters(owner: Any) -> list[Case]:
    roles = {row["name"]: row["id"] for row in await owner.fetch(_ROLES)}
    teams = [row["team_id"] for row in await owner.fetch(_TEAMS)]
    people = await owner.fetch(_SOMEBODY)
    email, ids = people[0]["email"], [row["id"] for row in people]
    # What the repository is asked, and what HTTP is.
    filters: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        **{f"role {name}": ({"role": key}, {"role": name}) for name, key in roles.items()},
        **{
            f"team, the {rank}. of {len(teams)} by size": ({"team": key}, {"team": str(key)})
            for rank, key in enumerate(teams, 1)
        },
        "active": ({"active": True}, {"status": "active"}),
        "suspended": ({"suspended": True}, {"status": "suspended"}),
        "deleted": ({"deleted": True}, {"status": "deleted"}),
        "verified": ({"verified": True}, {"verified": "true"}),
        "unverified": ({"verified": False}, {"verified": "false"}),
        "plan free": ({"plan": "free"}, {"plan": "free"}),
        "plan premium": ({"plan": "premium"}, {"plan": "premium"}),
        "email": ({"email": email}, {"email": email}),
        "ids": ({"id": ids}, {"id": ",".join(map(str, ids))}),
        "premium and suspended": (
            {"plan": "premium", "suspended": True},
            {"plan": "premium", "status": "suspended"},
        ),
    }
    cases = [
        case
        for name, (asked, query) in filters.items()
        for case in _both(
            "filter",
            name,
            Window(filters=asked),
            {f"filter[{key}]": value for key, value in query.items()},
        )
    ]
    day = people[0]["created_at"]
    for name, since, until in (
        ("one day", day, day + timedelta(days=1)),
        ("from one day on", day, None),
        ("until one day", None, day),
    ):
        query = {"dateFrom": since, "dateTo": until}
        given = {key: f"{value:%Y-%m-%dT%H:%M:%SZ}" for key, value in query.items() if value}
        cases += _both("filter", name, Window(since=since, until=until), given)
    return cases


def _both(kind: str, name: str, window: Window, query: Mapping[str, str]) -> list[Case]:
    """Return a case by cursor and one by page, which counts."""
    return [
        Case(
            kind=kind,
            name=f"{name}, by cursor",
            window=replace(window, offset=None),
            query={**query, "cursor": ""},
        ),
        Case(kind=kind, name=f"{name}, by page", window=window, query=query),
    ]


def _searches() -> Iterator[Case]:
    words: dict[str, tuple[str, ...]] = {
        "rare word": ("papadopoulos",),
        "somebody": ("smith.4711",),
        "an address up to its @": ("maria.muller.1235371",),
        "a whole address": ("maria.muller.1235371@mail.example",),
        "one in two thousand": ("9061",),
        "one in three hundred": ("becker",),
        "common first name": ("maria",),
        "part of many": ("ann",),
        "medium word": ("ngozi",),
        "in every address": ("example",),
        "a number in addresses": ("999",),
        "two words": ("maria", "garcía"),
        "two common words": ("james", "smith"),
        "one common, one rare": ("maria", "zuzana"),
        "one letter": ("m",),
        "rare letter": ("q",),
        "digit": ("7",),
        "two letters": ("ma",),
        "rare two letters": ("xu",),
        "two letters, nobody": ("zx",),
        "two digits": ("42",),
        "no match": ("zzyzx",),
        "no match of common parts": ("marson",),
        "no match of two common": ("mariasmi",),
        "percent": ("%",),
        "percents": ("%%%",),
        "underscore": ("_",),
        "underscores": ("___",),
        "backslash": ("\\",),
        "dots": ("...",),
        "letter and percent": ("m%",),
        "accent": ("é",),
        "CJK": ("李",),
    }
    for name, wanted in words.items():
        yield from _both("search", name, Window(words=wanted), {"search": " ".join(wanted)})
    for name in ("rare word", "somebody", "common first name", "in every address"):
        window = Window(words=words[name], sort="email")
        query = {"search": " ".join(words[name]), "sort": "email"}
        yield from _both("search", f"{name} in the order of addresses", window, query)
