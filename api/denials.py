"""Denied actions: somebody known tried what their roles do not permit, or not yet."""

import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from uuid import UUID

from api.context import Call, Principal
from api.filters import ME
from api.ids import is_id
from ops.errors import Problem, Unavailable
from storage.audit import Outcome
from storage.database import Database

# What of a path is named by people. They type addresses and tokens there too, and facts hold no
# personal data and stay for ever: what is spelt otherwise is left out, whole.
_NAME = re.compile(r"[a-z][a-z0-9_-]{1,49}", re.ASCII)
_NAMED = frozenset({"role", "task"})
_NO_PARTS: Mapping[str, str] = MappingProxyType({})


class Denials:
    """Writes down what was denied, and to whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, call: Call, route: str, problem: Problem, parts: Mapping[str, str] = _NO_PARTS
    ) -> None:
        """Note a denial in the audit trail; an absent database keeps nobody from the answer.

        `parts` are those of the path, by the names that `route` has for them.
        """
        subject, facts = _aimed_at(route, parts, call.principal)
        with suppress(Unavailable):
            async with self._database.transaction(call.actor) as storage:
                await storage.audit.note(
                    "access.denied",
                    subject=subject,
                    outcome=Outcome.DENIED,
                    route=route,
                    code=problem.code,
                    **facts,
                )


def _aimed_at(
    route: str, parts: Mapping[str, str], principal: Principal | None
) -> tuple[UUID | None, dict[str, str]]:
    """Return the id that a path is about, and its other parts as facts.

    That is `userId` where there is one, else `id`; where it is none, it is among the facts.
    """
    about = "userId" if "userId" in parts else "id"
    said = parts.get(about, "")
    of_people = about == "userId" or "/users/{id}" in route
    subject = UUID(said) if is_id(said) else None
    if said == ME and of_people and principal:
        subject = principal.user_id
    named = _NAMED | {"id"} if "/roles/{id}" in route else _NAMED
    facts = {
        name: text
        for name, text in parts.items()
        if is_id(text) or (name in named and _NAME.fullmatch(text))
    }
    if subject:
        facts.pop(about, None)
    return subject, facts
