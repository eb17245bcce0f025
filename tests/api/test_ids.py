"""An id has one spelling, whatever it names and wherever it stands.

In a path any other is answered like nobody's (404), in a body like whatever is no id (400).
"""

from typing import Any
from urllib.parse import quote

import aiohttp
from marshmallow import fields

from api.app import all_endpoints
from api.parts import Parts
from tests.api.jobs import job_in
from tests.api.pieces import team_of, write
from tests.conftest import MakeSettings
from tests.people import Person, admin, call, id_of

# Python reads all but the last two as the same id: full-width digits, too.
_OTHER = ("{{{id}}}", "urn:uuid:{id}", "{hex}", "{wide}", "{id} ", "{id}0")

_TEXT = "Not a valid UUID."


def spellings(name: str) -> list[str]:
    """Return an id as it is not spelt."""
    wide = name.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    return [other.format(id=name, hex=name.replace("-", ""), wide=wide) for other in _OTHER]


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
        for spelt in spellings(name):
            found = await call(api, boss, method, f"{path}/{quote(spelt)}")
            assert found[0] == 404, (path, spelt, found)
        found = await call(api, boss, method, f"{path}/{name.upper()}")
        assert found[0] == 200, (path, found)


async def test_an_id_in_a_body_has_one_spelling(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    piece, team = await write(api, boss), await team_of(owner, boss)
    asked: list[tuple[str, str, dict[str, Any], str, str]] = [
        ("POST", "/content", {"title": "T"}, "teamId", team),
        ("PUT", f"/content/{piece['id']}", {"title": "T"}, "teamId", team),
        ("PATCH", f"/content/{piece['id']}", {}, "teamId", team),
        ("POST", "/teams", {"name": "Support"}, "managerId", id_of(boss)),
    ]

    for method, path, rest, name, right in asked:
        wrong = [*spellings(right), "", "no-id", 7, True, [right], {"id": right}]
        told = [(said, await _sent(api, boss, method, path, rest | {name: said})) for said in wrong]
        assert told == [(said, (400, [{"field": name, "message": _TEXT}])) for said in wrong]
        status, _ = await call(api, boss, method, path, rest | {name: right.upper()})
        assert status in {200, 201}, (method, path)


def test_no_body_takes_ids_by_another_field(make_settings: MakeSettings) -> None:
    taken = [
        f"{endpoint.method} {endpoint.path}: {name}"
        for endpoint in all_endpoints(make_settings())
        if endpoint.takes
        for name, field in endpoint.takes.fields.items()
        if type(getattr(field, "inner", field)) is fields.UUID
    ]

    assert taken == []


async def _sent(
    api: aiohttp.ClientSession, who: Person, method: str, path: str, body: dict[str, Any]
) -> tuple[int, Any]:
    """Send a body; return the status, and what was wrong with it."""
    status, told = await call(api, who, method, path, body)
    return status, told.get("error", {}).get("details")
