"""page, cursor, sort, filter, fields in queries; the pagination block in answers (CONTRACT §2)."""

import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from multidict import MultiMapping

from api.filters import Filter
from api.problems import Invalid
from ops.crypto import CannotOpen, KeyRing
from ops.errors import Detail
from storage.pages import Cursor, Page, Window

_PURPOSE = "list cursor"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_FILTER = re.compile(r"filter\[(\w+)\]")
_MAX_LIMIT = 100
_MAX_SEARCH = 100
_MAX_WORDS = 5


class _WrongValueError(ValueError):
    """What is wrong with the value of a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """How a list can be asked for."""

    sorts: Sequence[str]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    searched: bool = True

    @property
    def names(self) -> list[str]:
        """Every parameter it knows."""
        names = ["page", "limit", "cursor", "sort", "order", "dateFrom", "dateTo", "fields"]
        return [
            *names,
            *(["search"] if self.searched else []),
            *(f"filter[{name}]" for name in self.filters),
        ]


class Queries:
    """Reads queries of lists, and makes cursors that only go on with the query they came from."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def read(self, lists: Lists, path: str, query: MultiMapping[str]) -> Window:
        """Return the window that is asked for; raise Invalid naming every wrong parameter."""
        reader = _Reader(lists, query)
        reader.check_names()
        window = reader.window()
        if reader.wrong:
            raise Invalid(details=reader.wrong)
        given = query.get("cursor")
        if given is None:
            return window
        after = self._opened(given, _place(path, window)) if given else None
        return replace(window, offset=None, after=after)

    def pagination(self, path: str, window: Window, page: Page[Any]) -> dict[str, Any]:
        """Return the block that says where one is, and how to go on."""
        found: dict[str, Any] = {"limit": window.limit, "hasNext": page.has_next}
        if window.offset is not None and page.total is not None:
            found = {"page": window.offset // window.limit + 1} | found
            found["hasPrev"] = window.offset > 0
            found["total"] = page.total
            found["totalPages"] = -(-page.total // window.limit)
            found["totalIsExact"] = page.total_is_exact
        else:
            found["hasPrev"] = window.after is not None
        found["nextCursor"] = self._sealed(page.next, _place(path, window)) if page.next else None
        return found

    def _sealed(self, cursor: Cursor, place: bytes) -> str:
        plain = orjson.dumps([cursor.value, str(cursor.id)])
        sealed = self._keys.seal(plain, purpose=_PURPOSE, aad=place)
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def _opened(self, given: str, place: bytes) -> Cursor:
        try:
            sealed = urlsafe_b64decode(given + "=" * (-len(given) % 4))
            value, row_id = orjson.loads(self._keys.open(sealed, purpose=_PURPOSE, aad=place))
            return Cursor(value, UUID(row_id))
        except (CannotOpen, ValueError) as error:
            raise Invalid.field(
                "cursor",
                "This cursor is not of this query. Repeat sort, order, filters, search and dates"
                " as they were, or begin with an empty cursor.",
            ) from error


def chosen_fields(query: MultiMapping[str], known: Sequence[str]) -> list[str] | None:
    """Return the fields that `fields=a,b` asks for, None for all; raise Invalid naming `known`."""
    given = query.getall("fields", [])
    if not given:
        return None
    names = [name.strip() for name in ",".join(given).split(",")]
    if len(given) > 1 or not set(names) <= set(known):
        raise Invalid.field("fields", f"Choose among {', '.join(known)}.")
    return names


class _Reader:
    """Reads one query, and keeps what is wrong with it."""

    def __init__(self, lists: Lists, query: MultiMapping[str]) -> None:
        self._lists = lists
        self._query = query
        self.wrong: list[Detail] = []

    def check_names(self) -> None:
        """Raise Invalid for parameters that are unknown, come twice, or hold a NUL."""
        wrong = []
        for name in dict.fromkeys(self._query):
            values = self._query.getall(name)
            if name not in self._lists.names:
                allowed = ", ".join(self._lists.names)
                wrong.append(Detail(name[:100], f"Unknown. Allowed are {allowed}."))
            elif len(values) > 1:
                wrong.append(Detail(name, "Send it once."))
            elif "\x00" in values[0]:
                wrong.append(Detail(name, "NUL is not allowed."))
        if wrong:
            raise Invalid(details=wrong)

    def window(self) -> Window:
        limit = self._read("limit", _limit, 20)
        page = self._read("page", _page, 1)
        if {"page", "cursor"} <= set(self._query):
            self.wrong.append(Detail("cursor", "Send page or cursor, not both."))
        return Window(
            sort=self._read("sort", _one_of(self._lists.sorts), self._lists.sorts[0]),
            descending=self._read("order", _one_of(("desc", "asc")), "desc") == "desc",
            limit=limit,
            offset=(page - 1) * limit,
            filters=self._filters(),
            words=self._read("search", _words, ()),
            since=self._read("dateFrom", _since, None),
            until=self._read("dateTo", _until, None),
        )

    def _filters(self) -> dict[str, Any]:
        found = {}
        for name in self._query:
            if match := _FILTER.fullmatch(name):
                found[match[1]] = self._read(name, self._lists.filters[match[1]].read, None)
        return found

    def _read(self, name: str, read: Any, otherwise: Any) -> Any:
        text = self._query.get(name)
        if text is None:
            return otherwise
        try:
            return read(text)
        except ValueError as error:
            self.wrong.append(Detail(name, str(error)))
            return otherwise


def _place(path: str, window: Window) -> bytes:
    """Return what a cursor is bound to: the list, its order and what narrows it."""
    facts = [path, window.sort, window.descending, list(window.words), window.since, window.until]
    filters = [[name, window.filters[name]] for name in sorted(window.filters)]
    return orjson.dumps([*facts, filters], default=str)


def _limit(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _MAX_LIMIT:
        raise _WrongValueError(f"Send a number from 1 to {_MAX_LIMIT}.")
    return int(text)


def _page(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise _WrongValueError("Send a number from 1 on.")
    return int(text)


def _one_of(allowed: Sequence[str]) -> Any:
    def read(text: str) -> str:
        if text not in allowed:
            raise _WrongValueError(f"Choose among {', '.join(allowed)}.")
        return text

    return read


def _words(text: str) -> tuple[str, ...]:
    words = unicodedata.normalize("NFC", text).split()
    if len(text) > _MAX_SEARCH or len(words) > _MAX_WORDS:
        raise _WrongValueError(f"Send at most {_MAX_SEARCH} characters and {_MAX_WORDS} words.")
    return tuple(words)


def _since(text: str) -> datetime:
    return _moment(text)[0]


def _until(text: str) -> datetime:
    """Return the first moment after what is meant: a day is meant as a whole."""
    start, length = _moment(text)
    try:
        return start + length
    except OverflowError as error:
        raise _WrongValueError("Send an earlier time.") from error


def _moment(text: str) -> tuple[datetime, timedelta]:
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC), timedelta(days=1)
        if _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            return moment, timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise _WrongValueError("Send a day (2026-11-21) or a time (2026-11-21T10:30:00Z).")
