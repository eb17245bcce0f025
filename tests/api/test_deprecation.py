"""Routes that will go say so in every answer, and operators see who still calls."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from api.app import all_endpoints
from api.deprecations import DEPRECATIONS, Deprecation
from api.parts import Parts
from ops.logging import set_up
from tests.api.standards import THINGS, described, moment, standing
from tests.conftest import MakeSettings

ROW = Deprecation(
    since=moment(2026), sunset=moment(2027), successor="/api/v2/things/{id}", notes="/api/docs"
)
TABLE = {f"GET {THINGS}/{{id}}": ROW}


@pytest.fixture
def log(make_settings: MakeSettings) -> Iterator[io.StringIO]:
    """Give what is logged meanwhile."""
    output = io.StringIO()
    set_up(make_settings(), process="test", output=output)
    yield output
    set_up(make_settings(), process="test")


async def test_every_answer_of_a_deprecated_route_says_until_when_and_what_instead(
    parts: Parts,
) -> None:
    async with standing(parts, deprecations=TABLE) as client:
        for path, headers, status in (
            (f"{THINGS}/1", {}, 200),
            ("/api/things/1", {}, 200),
            (f"{THINGS}/1", {"If-None-Match": "*"}, 304),
            (f"{THINGS}/1?fields=x", {}, 400),
            (f"{THINGS}/1", {"If-Match": '"1-00000000"'}, 412),
        ):
            async with client.get(path, headers=headers) as answer:
                assert answer.status == status
            assert answer.headers["Deprecation"] == f"@{int(moment(2026).timestamp())}"
            assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
            assert parsedate_to_datetime(answer.headers["Sunset"]) == moment(2027)
            assert answer.headers["Link"] == (
                '</api/docs>; rel="deprecation"; type="text/html",'
                ' </api/v2/things/{id}>; rel="successor-version"'
            )


async def test_other_routes_and_methods_say_nothing(parts: Parts) -> None:
    async with standing(parts, deprecations=TABLE) as client:
        for method, path in (
            ("GET", THINGS),
            ("PATCH", f"{THINGS}/1"),
            ("GET", "/api/v2/things/1"),
        ):
            async with client.request(method, path) as answer:
                assert not {"Deprecation", "Sunset", "Link"} & answer.headers.keys()


async def test_operators_see_who_still_calls(parts: Parts, log: io.StringIO) -> None:
    def counted() -> Any:
        labels = {"http_request_method": "GET", "http_route": f"{THINGS}/{{id}}"}
        name = "ostiary_deprecated_requests_total"
        return parts.metrics.registry.get_sample_value(name, labels) or 0

    before = counted()
    async with standing(parts, deprecations=TABLE) as client:
        await client.get(f"{THINGS}/1", headers={"User-Agent": "old-client/1"})

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [line] = [item for item in lines if item["event"] == "deprecated route called"]
    assert (line["route"], line["agent"]) == (f"{THINGS}/{{id}}", "old-client/1")
    assert counted() == before + 1


def test_the_document_marks_what_will_go() -> None:
    paths = described(TABLE)["paths"]

    operation = paths[f"{THINGS}/{{id}}"]["get"]
    assert operation["deprecated"] is True
    assert "until 2027-01-01" in operation["description"]
    assert "/api/v2/things/{id}" in operation["description"]
    assert "deprecated" not in paths[f"{THINGS}/{{id}}"]["patch"]


def test_nobody_gets_less_than_six_months() -> None:
    with pytest.raises(ValueError, match="six months"):
        Deprecation(since=moment(2026), sunset=moment(2026, 6))
    with pytest.raises(ValueError, match="UTC"):
        Deprecation(since=moment(2026).replace(tzinfo=None), sunset=moment(2027))
    row = Deprecation(since=moment(2026), sunset=moment(2026, 7) + timedelta(days=2))
    assert "successor-version" not in row.headers["Link"]
    assert row.sunset.tzinfo is UTC


def test_the_table_names_routes_there_are(parts: Parts) -> None:
    routes = {f"{item.method} {item.path}" for item in all_endpoints(parts.settings)}

    assert set(DEPRECATIONS) <= routes
