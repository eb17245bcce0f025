"""Idempotency-Key: holds a key while its request is worked on, and gives it back on failure."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from api.context import CALL
from api.paging import place_of
from api.problems import BadRequest
from ops.crypto import KeyRing
from ops.errors import Kind, Problem
from storage.claims import Claim
from storage.database import Database

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class ResultGone(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """What was made with this Idempotency-Key is gone since. Take a new key to make another."""


class Idempotency:
    """Claims keys for requests."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    def claiming(
        self, request: web.Request, body: Any
    ) -> AbstractAsyncContextManager[Claim | None]:
        """Hold the request's key around its work; None when it has none.

        A key is good for one caller, method and path. Raises BadRequest, KeyReused, InFlight;
        ResultGone where the work finds nothing of what it made before.
        """
        return self._claiming(request, body)

    @asynccontextmanager
    async def _claiming(self, request: web.Request, body: Any) -> AsyncIterator[Claim | None]:
        given = _key_of(request)
        if given is None:
            yield None
            return
        claim = await self._claim(request, given, body)
        try:
            yield claim
        except BaseException as error:
            if claim.result is None:
                await self._release(claim)
            elif isinstance(error, Problem) and error.kind is Kind.NOT_FOUND:
                raise ResultGone from error
            raise

    async def _claim(self, request: web.Request, given: str, body: Any) -> Claim:
        principal = request[CALL].principal
        caller = principal.user_id if principal else ""
        path = place_of(request[CALL].route, request.match_info)  # the same under every alias
        place = f"{caller}\n{request.method}\n{path}\n{given}".encode()
        facts = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        async with self._database.reading() as storage:
            return await storage.idempotency.claim(
                self._keys.mac(place, purpose="idempotency key"),
                secret=given.encode(),
                body_mac=self._keys.mac(facts, purpose="idempotency body"),
            )

    async def _release(self, claim: Claim) -> None:
        async with self._database.reading() as storage:
            await storage.idempotency.release(claim)


def _key_of(request: web.Request) -> str | None:
    """Return the Idempotency-Key of a request, None if it has none; raise BadRequest.

    Of two keys no one can say which of them the request is to be known by.
    """
    given = request.headers.getall("Idempotency-Key", ())
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest("Send one Idempotency-Key header.")
    if not _KEY.fullmatch(given[0]):
        raise BadRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return given[0]
