"""What a statement of a list is asked with."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Arguments:
    """The values of a statement, and how each stands in its text."""

    # Whether PostgreSQL is kept from planning by them: it plans as if it knew none, finds that a
    # plan for all values is no worse than one for these, and keeps it from the sixth time on.
    hidden: bool = False
    values: list[Any] = field(default_factory=list)

    def add(self, value: Any, kind: str) -> str:
        """Return what stands for a value of a type of PostgreSQL in the text."""
        self.values.append(value)
        typed = f"${len(self.values)}::{kind}"
        return f"(SELECT {typed})" if self.hidden else typed

    def put(self, condition: str, value: Any) -> str:
        """Return a condition in which `$?` is a word, or several signs."""
        kind = "text" if isinstance(value, str) else "text[]"
        return condition.replace("$?", self.add(value, kind))

    def narrow(self, condition: str, value: Any) -> str:
        """Return a condition in which `$?` is a value that the planner has to see."""
        self.values.append(value)
        return condition.replace("$?", f"${len(self.values)}")
