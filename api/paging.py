"""page, cursor, sort, filter, fields in queries; pagination in answers (docs/lists.md)."""

import re
import unicodedata
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from multidict import MultiMapping

from api.filters import Filter
from api.problems import Invalid, shown
from ops.crypto import CannotOpen, KeyRing
from ops.errors import Detail
from storage.pages import Cursor, Page, Window

_PURPOSE = "list cursor"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
LAST_PAGE = 999_999_999
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
# What becomes of bytes that are no UTF-8: U+FFFD of escaped ones, surrogates of bare ones.
_NO_TEXT = re.compile("[\x00\ufffd\ud800-\udfff]")
_TWICE = "Send it once."
_MAX_LIMIT = 100
_MAX_SEARCH = 100
_MAX_WORDS = 5
# A short query of a thousand unknown names must not have an answer of a megabyte.
_MAX_WRONG = 20


class _WrongValueError(ValueError):
    """What is wrong with the value of a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a query asked for: which fields, and which part of a list."""

    fields: Sequence[str] | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """How a list can be asked for."""

    sorts: Sequence[str]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    searched: bool = True
    # Of an export: it gives everything in an order of its own, without pages or a choice of fields.
    formats: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """Every parameter it knows."""
        if self.formats:
            return ["format", "dateFrom", "dateTo", *(f"filter[{name}]" for name in self.filters)]
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

    def read(
        self, lists: Lists, known: Sequence[str], place: str, query: MultiMapping[str]
    ) -> Asked:
        """Return what is asked for of a list, whose items have the fields `known`.

        Raises Invalid naming every wrong parameter; `place` is which list it is.
        """
        reader = _Reader(lists, query)
        reader.check()
        window = reader.window()
        fields = reader.read("fields", _some_of(known), None)
        if reader.wrong:
            raise Invalid(details=_cut(reader.wrong))
        given = query.get("cursor")
        if given is not None:
            after = self._opened(given, _bound_to(place, window)) if given else None
            window = replace(window, offset=None, after=after)
        return Asked(fields=fields, window=window)

    def pagination(self, place: str, window: Window, page: Page[Any]) -> dict[str, Any]:
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
        bound_to = _bound_to(place, window)
        found["nextCursor"] = self._sealed(page.next, bound_to) if page.next else None
        return found

    def _sealed(self, cursor: Cursor, place: bytes) -> str:
        plain = orjson.dumps([cursor.value, str(cursor.id)])
        sealed = self._keys.seal(plain, purpose=_PURPOSE, aad=place)
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def _opened(self, given: str, place: bytes) -> Cursor:
        try:
            padded = given + "=" * (-len(given) % 4)
            sealed = b64decode(padded, altchars=b"-_", validate=True)
            value, row_id = orjson.loads(self._keys.open(sealed, purpose=_PURPOSE, aad=place))
            return Cursor(value, UUID(row_id))
        except (CannotOpen, ValueError) as error:
            raise Invalid.field(
                "cursor",
                "This cursor is not of this query. Repeat sort, order, filters, search and dates"
                " as they were, or begin with an empty cursor.",
            ) from error


def chosen_fields(query: MultiMapping[str], known: Sequence[str]) -> Sequence[str] | None:
    """Return the fields that `fields=a,b` asks for, None for all; raise Invalid naming `known`."""
    given = query.getall("fields", [])
    if len(given) > 1:
        raise Invalid.field("fields", _TWICE)
    try:
        return _some_of(known)(given[0]) if given else None
    except _WrongValueError as error:
        raise Invalid.field("fields", str(error)) from error


def check_chosen(fields: Sequence[str], shown: Sequence[str]) -> None:
    """Raise Invalid for fields that are not among those shown, naming these."""
    if not set(fields) <= set(shown):
        raise Invalid.field("fields", _choose_among(shown))


def place_of(path: str, parts: Mapping[str, str]) -> str:
    """Return which list it is, the same under every alias of its path."""
    return f"{path} {sorted(parts.items())}" if parts else path


class _Reader:
    """Reads one query, and keeps what is wrong with it."""

    def __init__(self, lists: Lists, query: MultiMapping[str]) -> None:
        self._lists = lists
        self._query = query
        self.wrong: list[Detail] = []
        self._wrong_names: set[str] = set()

    def check(self) -> None:
        """Note parameters that are unknown, come twice, or are no text."""
        known = self._lists.names
        for name in dict.fromkeys(self._query):
            values = self._query.getall(name)
            if name not in known:
                self._note(shown(name), f"Unknown. Allowed are {', '.join(known)}.")
            elif len(values) > 1:
                self._note(name, _TWICE)
            elif _NO_TEXT.search(values[0]):
                self._note(name, "Send UTF-8 without NUL.")

    def window(self) -> Window:
        """Return which part of the list is asked for, or how an export is narrowed."""
        since, until = self.read("dateFrom", _since, None), self.read("dateTo", _until, None)
        if self._lists.formats:
            self.read("format", _one_of(self._lists.formats), None)
            return Window(filters=self._filters(), since=since, until=until)
        limit = self.read("limit", _limit, 20)
        page = self.read("page", _page, 1)
        if "page" in self._query and "cursor" in self._query:
            self._note("cursor", "Send page or cursor, not both.")
        return Window(
            sort=self.read("sort", _one_of(self._lists.sorts), self._lists.sorts[0]),
            descending=self.read("order", _one_of(("desc", "asc")), "desc") == "desc",
            limit=limit,
            offset=(page - 1) * limit,
            filters=self._filters(),
            words=self.read("search", _words, ()),
            since=since,
            until=until,
        )

    def _filters(self) -> dict[str, Any]:
        return {
            name: self.read(f"filter[{name}]", item.read, None)
            for name, item in self._lists.filters.items()
            if f"filter[{name}]" in self._query
        }

    def read(self, name: str, read: Callable[[str], Any], otherwise: Any) -> Any:
        """Return a parameter as `read` makes it of its text; note what is wrong with it."""
        text = self._query.get(name)
        if text is None or name in self._wrong_names:
            return otherwise
        try:
            return read(text)
        except ValueError as error:
            self._note(name, str(error))
            return otherwise

    def _note(self, name: str, message: str) -> None:
        self._wrong_names.add(name)
        self.wrong.append(Detail(name, message))


def _cut(wrong: list[Detail]) -> list[Detail]:
    """Return the first mistakes, and how many more there are."""
    left = len(wrong) - _MAX_WRONG
    return wrong if left <= 0 else [*wrong[:_MAX_WRONG], Detail("", f"And {left} more.")]


def _bound_to(place: str, window: Window) -> bytes:
    """Return what a cursor is bound to: the list, its order and what narrows it."""
    facts = [place, window.sort, window.descending, list(window.words), window.since, window.until]
    filters = [[name, window.filters[name]] for name in sorted(window.filters)]
    return orjson.dumps([*facts, filters], default=str)


def _limit(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _MAX_LIMIT:
        raise _WrongValueError(f"Send a number from 1 to {_MAX_LIMIT}.")
    return int(text)


def _page(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise _WrongValueError(f"Send a number from 1 to {LAST_PAGE}; further in, use a cursor.")
    return int(text)


def _one_of(allowed: Sequence[str]) -> Any:
    def read(text: str) -> str:
        if text not in allowed:
            raise _WrongValueError(f"Choose among {', '.join(allowed)}.")
        return text

    return read


def _some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if not set(names) <= set(known):
            raise _WrongValueError(_choose_among(known))
        return names

    return read


def _choose_among(names: Sequence[str]) -> str:
    return f"Choose among {', '.join(names)}."


def _words(text: str) -> tuple[str, ...]:
    if (
        len(text) > _MAX_SEARCH
        or len(words := unicodedata.normalize("NFC", text).split()) > _MAX_WORDS
    ):
        raise _WrongValueError(f"Send at most {_MAX_SEARCH} characters and {_MAX_WORDS} words.")
    return tuple(words)


def _since(text: str) -> datetime:
    return _moment(text)[0]


def _until(text: str) -> datetime:
    """Return the first moment after what is meant: a day, or a second, as a whole."""
    start, length = _moment(text)
    try:
        return start + length
    except OverflowError as error:
        raise _WrongValueError("Send an earlier time.") from error


def _moment(text: str) -> tuple[datetime, timedelta]:
    """Return when what is meant begins, and how long it is: answers cut times to milliseconds."""
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC), timedelta(days=1)
        if found := _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            return moment, timedelta(seconds=1) / 10 ** len((found[1] or ".")[1:])
    except (ValueError, OverflowError):
        pass
    raise _WrongValueError(
        "Send a day (2026-11-21) or a time (2026-11-21T10:30:00Z; write + as %2B)."
    )
