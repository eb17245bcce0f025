"""Facts that ride along on every line of a request or a job, whoever writes it."""

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any

# One variable with a mapping that is never changed: a task that was begun meanwhile keeps its own.
_FACTS: ContextVar[Mapping[str, Any]] = ContextVar("facts", default=MappingProxyType({}))


Bound = Token[Mapping[str, Any]]


class _Bound:
    __slots__ = ("_facts", "_token")

    _token: Bound

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def __enter__(self) -> None:
        self._token = bind(self._facts)

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        unbind(self._token)


def bound(**facts: Any) -> _Bound:
    """Add facts to every line that is written within, by this task and those it begins."""
    return _Bound(facts)


def bind(facts: Mapping[str, Any]) -> Bound:
    """Do what `bound` does, for who has a `finally` anyway and calls `unbind` there."""
    outer = _FACTS.get()
    return _FACTS.set({**outer, **facts} if outer else facts)


unbind = _FACTS.reset


def facts_bound() -> Mapping[str, Any]:
    """Return what is bound here and now."""
    return _FACTS.get()


def merge(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add what is bound to an event, which wins where both speak (a structlog processor)."""
    for name, value in _FACTS.get().items():
        event.setdefault(name, value)
    return event
