"""An id in a path has one spelling, whatever it names; any other is answered like nobody's: 404."""

from typing import Any
from urllib.parse import quote

import aiohttp

from api.parts import Parts
from tests.api.jobs import job_in
from tests.api.pieces import team_of, write
from tests.people import admin, call

# Python reads all but the last two as the same id: full-width digits, too.
_OTHER = ("{{{id}}}", "urn:uuid:{id}", "{hex}", "{wide}", "{id} ", "{id}0")


async def test_an_id_in_a_path_has_one_spelling(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    piece = await write(api, boss)
    [event, *_] = (await call(api, boss, "GET", "/audit"))[1]["data"]
    [session] = (await call(api, boss, "GET", "/auth/sessions"))[1]["data"]
    there = (
        ("GET", "/content", piece["id"]),
        ("GET", "/teams", await team_of(owner, boss)),
        ("GET", "/admin/jobs", str(await job_in(parts, owner, "dead"))),
        ("GET", "/audit", event["id"]),
        ("DELETE", "/auth/sessions", session["id"]),
    )

    for method, path, name in there:
        wide = name.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
        for other in _OTHER:
            spelt = other.format(id=name, hex=name.replace("-", ""), wide=wide)
            found = await call(api, boss, method, f"{path}/{quote(spelt)}")
            assert found[0] == 404, (path, spelt, found)
        found = await call(api, boss, method, f"{path}/{name.upper()}")
        assert found[0] == 200, (path, found)
