"""Routes and Endpoint: one declaration for what an endpoint takes, gives, guards and limits.

What becomes of a declaration is in `api/router.py`.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from api.access import Access
from api.paging import Lists
from api.reading import LARGE, SMALL
from api.schemas import Inbound, Outbound
from ops.errors import Problem

Handler = Callable[..., Awaitable[Any]]

BASE = "/api/v1"
_SECRET = re.compile("(token|secret|apikey|password|codes)$", re.IGNORECASE)
# Fields of the data that the documents' client looks for at the top level.
MIRRORED = ("accessToken", "refreshToken", "expiresIn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One thing a caller can ask for."""

    method: str
    path: str
    handler: Handler
    access: Access
    tag: str
    takes: Inbound | None = None
    # Nothing at all may be sent in place of a body.
    body_optional: bool = False
    gives: Outbound | None = None
    status: HTTPStatus = HTTPStatus.OK
    # Other statuses it succeeds with, without data.
    also_status: tuple[HTTPStatus, ...] = ()
    # Request headers it reads beside those that every endpoint does: name to what it is for.
    headers: Mapping[str, str] = field(default_factory=dict)
    # Parameters of the query it reads, lists apart: name to JSON Schema with a description.
    queries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[type[Problem], ...] = ()
    # An Idempotency-Key is honoured: by every POST that creates.
    idempotent: bool = False
    # It is about one record with a version: gives its ETag, honours If-None-Match and If-Match.
    versioned: bool = False
    # It gives a `Page`: how the list can be asked for. The handler gets a `Window`.
    lists: Lists | None = None
    # It gives a stream: media types, each with an example.
    streams: Mapping[str, str] = field(default_factory=dict)
    # The general limit counts it.
    limited: bool = True
    # The OpenAPI document shows it; pages for people are not in there.
    documented: bool = True
    # Paths it also answers.
    aliases: tuple[str, ...] = ()
    # Fields of the data that are repeated at the top level, for the documents' client.
    mirrored: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """First line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    @property
    def fields(self) -> list[str]:
        """Names of the fields that `fields=` chooses among; none where it is not honoured."""
        schema: Any = self.gives
        if self.method != "GET" or not (self.versioned or self.lists) or schema is None:
            return []
        names: list[str] = schema.names
        return names

    @property
    def secret(self) -> bool:
        """Whether an answer may carry what nobody must guess: its length must not tell of it."""
        return bool(self.mirrored) or any(map(_SECRET.search, _names_in(self.gives)))

    @property
    def refuses_body(self) -> bool:
        """Whether a body is refused, of which nothing would be heeded.

        To /auth clients send their tokens along, and pages read forms by themselves.
        """
        takes_none = self.takes is None and self.method != "GET" and self.documented
        return takes_none and "/auth/" not in self.path

    @property
    def body_limit(self) -> int:
        """Bytes a body may have: 64 KiB on /auth, 1 MiB elsewhere."""
        return SMALL if "/auth/" in self.path else LARGE


def _names_in(schema: Any) -> set[str]:
    """Return the names of all fields that a schema writes, at any depth."""
    names = set()
    for name, item in schema.fields.items() if schema else ():
        inner = getattr(item, "inner", item)
        names |= {item.data_key or name} | _names_in(getattr(inner, "schema", None))
    return names


@dataclass(slots=True)
class Routes:
    """The endpoints of one feature under one prefix."""

    prefix: str
    tag: str
    aliases: tuple[str, ...] = ()
    endpoints: list[Endpoint] = field(default_factory=list)

    def add(
        self, method: str, path: str, *, access: Access, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated handler as an endpoint; the options are those of Endpoint.

        `access` has no default: an unguarded endpoint cannot be written.
        """

        def declare(handler: Handler) -> Handler:
            also = tuple(alias + path for alias in self.aliases) + options.pop("also", ())
            endpoint = Endpoint(
                method=method,
                path=self.prefix + path,
                handler=handler,
                access=access,
                tag=self.tag,
                aliases=also,
                **options,
            )
            self.endpoints.append(endpoint)
            return handler

        return declare
