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

_LONGEST_NAME = 64
# What roles, tasks and ids are spelt with. People type addresses into paths too, and worse: facts
# hold no personal data, and stay for ever.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII | re.IGNORECASE)
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
    facts = {name: text[:_LONGEST_NAME] for name, text in parts.items()}
    if subject:
        del facts[about]
    return subject, {name: text for name, text in facts.items() if _NAME.fullmatch(text)}
