"""Names of statements, for metrics and logs: `users.by_id` is BY_ID of `storage/users`.

Names come from our constants and from nowhere else, so there are as many as there are statements.
"""

import re
import sys
from collections.abc import Callable, Mapping

from ops import tracing
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.metrics.unlocked import observer_of
from ops.tracing import Kind

# What asyncpg says at the ends of a transaction.
_TRANSACTION = {
    "BEGIN;": "transaction.begin",
    "COMMIT;": "transaction.commit",
    "ROLLBACK;": "transaction.rollback",
}
# What is put together where it is asked has a name of its own there, or none.
_OTHER = "other"
_FLOOR = "storage."
_VERB = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b(?!,)")

_log = get_logger()


def operations() -> dict[str, str]:
    """Return the name of every statement of the modules that are loaded, by its text."""
    found = dict(_TRANSACTION)
    # A copy: the garbage collector may run meanwhile, and what it ends may import something.
    for module, held in sorted(sys.modules.copy().items()):
        if module.startswith(_FLOOR):
            # A statement that two modules have goes by the name of the first.
            found = _operations_of(module, vars(held)) | found
    return found


def _operations_of(module: str, constants: Mapping[str, object]) -> dict[str, str]:
    where = module.removeprefix(_FLOOR).removesuffix(".repository")
    return {
        value: f"{where}.{name.lower()}"
        for name, value in list(constants.items())
        if name.isupper() and isinstance(value, str) and _VERB.match(value)
    }


class Stopwatch:
    """Takes down how long each statement took, and writes a line about slow ones."""

    def __init__(self, metrics: Metrics, *, slow_milliseconds: int) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_milliseconds / 1000 or float("inf")
        self._names = operations()
        self._observers: dict[str, Callable[[float], None]] = {}

    def took(self, statement: str, seconds: float) -> None:
        """Take down a statement by its text."""
        self.took_named(self._names.get(statement, _OTHER), seconds)

    def took_named(self, operation: str, seconds: float) -> None:
        """Take down a statement by its name, which is one of our constants."""
        observe = self._observers.get(operation)
        if observe is None:
            observe = observer_of(self._metrics.db_operations.labels(operation))
            self._observers[operation] = observe
        observe(seconds)
        if tracing.current():
            facts = {"db.system.name": "postgresql", "db.query.summary": operation}
            tracing.note(operation, kind=Kind.CLIENT, attributes=facts, seconds=seconds)
        if seconds >= self._slow_seconds:
            self._metrics.slow_queries.inc()
            # Never its arguments: they are people's.
            _log.warning("slow query", operation=operation, milliseconds=round(seconds * 1000, 1))
