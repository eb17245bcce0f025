"""Errors as RFC 9457 has them: who gets them, what is in them, and what the document says of it."""

import aiohttp
import pytest

from tests.api.standards import described
from tests.conftest import Serve

REGISTER = "/api/v1/auth/register"
JSON = "application/json"
PROBLEM = "application/problem+json"


async def test_problems_come_as_rfc_9457_when_asked_for(api: aiohttp.ClientSession) -> None:
    headers = {"Accept": "application/problem+json"}
    async with api.post(REGISTER, json={}, headers=headers) as answer:
        told = await answer.json(content_type="application/problem+json")

    assert answer.status == told["status"] == 400
    assert told["code"] == "VALIDATION_ERROR"
    assert {item["field"] for item in told["errors"]} >= {"email", "password"}
    assert told["type"].endswith("#VALIDATION_ERROR")


async def test_problems_of_rfc_9457_tell_when_to_try_again(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="1/15m")
    headers = {"Accept": "application/problem+json"}
    for _ in range(2):
        async with api.post(REGISTER, json={}, headers=headers) as answer:
            told = await answer.json(content_type="application/problem+json")

    assert answer.status == told["status"] == 429
    assert told["retryAfter"] == int(answer.headers["Retry-After"]) > 0


async def test_the_document_shows_every_error_in_both_shapes(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/docs/openapi.json") as answer:
        document = await answer.json()
    schema = document["components"]["schemas"]["Problem"]
    examples = document["components"]["examples"]
    errors = [
        (int(status), response["content"])
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]

    assert errors
    for status, content in errors:
        assert set(content) == {JSON, PROBLEM}
        assert content[PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content[PROBLEM]["examples"].keys() == content[JSON]["examples"].keys()
        for name, example in content[PROBLEM]["examples"].items():
            shown = examples[example["$ref"].rpartition("/")[2]]["value"]
            told = examples[content[JSON]["examples"][name]["$ref"].rpartition("/")[2]]["value"]
            assert (shown["status"], shown["code"]) == (status, told["error"]["code"])
            assert set(schema["required"]) <= shown.keys() <= schema["properties"].keys()


async def test_problems_are_of_the_documented_shape(serve: Serve) -> None:
    schema = described({})["components"]["schemas"]["Problem"]
    api = await serve(rate_limit_anonymous="1/15m")
    found = []
    for _ in range(2):
        async with api.post(REGISTER, json={}, headers={"Accept": PROBLEM}) as answer:
            found.append(await answer.json(content_type=PROBLEM))

    assert [told["status"] for told in found] == [400, 429]
    for told in found:
        assert set(schema["required"]) <= told.keys() <= schema["properties"].keys()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (PROBLEM, PROBLEM),
        (f"{PROBLEM};q=0.1", PROBLEM),
        (f"{JSON}, {PROBLEM};q=0.1", JSON),
        (f"{PROBLEM};q=0.8, {JSON};q=0.9", JSON),
        (f"{JSON};q=0.8, {PROBLEM}; Q=0.9", PROBLEM),
        (f"{JSON};q=0, {PROBLEM};q=0.001", PROBLEM),
        (f"{JSON}, {PROBLEM}", PROBLEM),
        (f"{PROBLEM}, {JSON}", PROBLEM),
        (f"{JSON};q=0.5, {PROBLEM};q=0.50", PROBLEM),
        (f"*/*, {PROBLEM}", PROBLEM),
        (f"{PROBLEM}, application/*", PROBLEM),
        (f"{PROBLEM};q=0.9, */*", PROBLEM),
        (f"{PROBLEM};q=0.5, application/*;q=0.4, */*", PROBLEM),
        (f"{PROBLEM};q=0.9, {JSON};q=0.1, */*", PROBLEM),
        (f"{JSON}, {PROBLEM};q=nonsense", PROBLEM),
        (f"{PROBLEM};q=2, {JSON};q=0.9", PROBLEM),
        (f"{PROBLEM};q=0, */*", JSON),
        ("*/*", JSON),
        ("text/html, application/*;q=0.1", JSON),
    ],
)
async def test_the_type_of_a_problem_is_the_one_that_is_liked_better(
    api: aiohttp.ClientSession, accept: str, kind: str
) -> None:
    async with api.get("/api/v1/nothing", headers={"Accept": accept}) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (404, kind)
