"""Page, Cursor, Window: which part of a list is asked for, and what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


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
    # Name of the filter to the value wanted.
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
