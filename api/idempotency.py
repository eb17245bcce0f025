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
from storage.claims import Claim
from storage.database import Database

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotency:
    """Claims keys for requests."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    def claiming(
        self, request: web.Request, body: Any
    ) -> AbstractAsyncContextManager[Claim | None]:
        """Hold the request's key around its work; None when it has none.

        A key is good for one caller, method and path. Raises BadRequest, KeyReused, InFlight.
        """
        return self._claiming(request, body)

    @asynccontextmanager
    async def _claiming(self, request: web.Request, body: Any) -> AsyncIterator[Claim | None]:
        given = request.headers.get("Idempotency-Key")
        if given is None:
            yield None
            return
        if not _KEY.fullmatch(given):
            raise BadRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
        claim = await self._claim(request, given, body)
        try:
            yield claim
        except BaseException:
            if claim.result is None:
                await self._release(claim)
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
