"""Spans as the house sees them; nothing here knows the library that keeps and sends them."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

from ops.tracing.parents import Parent
from ops.tracing.sampling import Sampling

Attributes = Mapping[str, str | int]

# Stands where a span would.
UNTRACED: AbstractContextManager[None] = nullcontext()
_current: ContextVar["Span | None"] = ContextVar("span", default=None)


class Kind(StrEnum):
    """What part a span has in a conversation: OpenTelemetry's words."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Library(Protocol):
    """Makes spans of its own, and fails them."""

    def begin(  # noqa: PLR0913 - what a span is made of
        self,
        name: str,
        *,
        kind: Kind,
        attributes: Attributes,
        parent: Parent | None,
        links: tuple[Parent, ...],
        since: int | None,
    ) -> Any:
        """Return a new span."""

    def place_of(self, span: Any) -> Parent:
        """Return what others need to follow a span."""

    def fail(self, span: Any, reason: str) -> None:
        """Mark a span as failed."""


class Span:
    """A step of a trace; as a context manager it is the current one, and ends."""

    __slots__ = ("_library", "_span", "_token", "place")

    def __init__(self, library: Library, span: Any) -> None:
        self._library = library
        self._span = span
        self._token: Token[Span | None] | None = None
        # What its children name as their parent, here and in other processes.
        self.place = library.place_of(span)

    @property
    def trace_id(self) -> str:
        """The trace's id as logs and tools write it."""
        return f"{self.place.trace_id:032x}"

    def child(
        self, name: str, *, kind: Kind, attributes: Attributes, since: int | None = None
    ) -> "Span":
        """Begin a step of this step, now or at a time (nanoseconds of the epoch)."""
        made = self._library.begin(
            name, kind=kind, attributes=attributes, parent=self.place, links=(), since=since
        )
        return Span(self._library, made)

    def describe(self, attributes: Attributes, *, name: str | None = None) -> None:
        """Add what is known by now."""
        self._span.set_attributes(attributes)
        if name:
            self._span.update_name(name)

    def fail(self, reason: str) -> None:
        """Mark it as failed; the reason is a word, never a message, which may tell of people."""
        self._library.fail(self._span, reason)

    def end(self) -> None:
        """End it now; what never ends is never sent."""
        self._span.end()

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token:
            _current.reset(self._token)
        if kind:
            self.fail(kind.__name__)
        self.end()


class Tracer:
    """Begins traces, and goes on with those that began elsewhere."""

    def __init__(self, library: Library, sampling: Sampling) -> None:
        self._library = library
        self._sampling = sampling

    def begin(
        self, name: str, *, kind: Kind, attributes: Attributes, parent: Parent | None = None
    ) -> Span | None:
        """Begin a trace, or go on with a caller's; None when it shall not be traced."""
        if not self._sampling.takes(parent):
            return None
        made = self._library.begin(
            name, kind=kind, attributes=attributes, parent=parent, links=(), since=None
        )
        return Span(self._library, made)

    def follow(  # noqa: PLR0913 - what a span is made of
        self,
        parent: Parent,
        name: str,
        *,
        kind: Kind,
        attributes: Attributes,
        links: tuple[Parent, ...] = (),
        since: int | None = None,
    ) -> Span:
        """Go on with a trace of ours, now or from a time on (nanoseconds of the epoch)."""
        made = self._library.begin(
            name, kind=kind, attributes=attributes, parent=parent, links=links, since=since
        )
        return Span(self._library, made)


def current() -> Span | None:
    """Return the step that is being done, None when it is not traced."""
    return _current.get()


def trace_parent() -> str | None:
    """Return the `traceparent` of the step that is being done, None when it is not traced."""
    span = _current.get()
    return span.place.header if span else None


def child(name: str, *, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span | None]:
    """Begin a step of the step that is being done; nothing at all when that is not traced."""
    span = _current.get()
    return span.child(name, kind=kind, attributes=attributes) if span else UNTRACED


def note(name: str, *, kind: Kind, attributes: Attributes, seconds: float) -> None:
    """Note a step that is over, and took so long, of the step that is being done."""
    span = _current.get()
    if span:
        since = time.time_ns() - int(seconds * 1e9)
        span.child(name, kind=kind, attributes=attributes, since=since).end()
