"""The standards as rules over every endpoint there is."""

from collections import defaultdict
from http import HTTPStatus
from pathlib import Path

import pytest

from api.access import Needs, SignedIn
from api.app import all_endpoints
from api.routing import Endpoint
from ops.settings import load


@pytest.fixture(scope="module")
def endpoints() -> list[Endpoint]:
    """Give every endpoint there is in development."""
    return all_endpoints(load({}, directory=Path("/nonexistent"), strict=False))


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def test_every_post_that_creates_may_be_repeated(endpoints: list[Endpoint]) -> None:
    creating = [item for item in endpoints if item.status == HTTPStatus.CREATED]

    assert creating
    assert [named(item) for item in creating if item.method != "POST" or not item.idempotent] == []


def test_records_that_are_read_and_changed_have_versions(endpoints: list[Endpoint]) -> None:
    by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for item in endpoints:
        by_path[item.path][item.method] = item
    records = [
        found for found in by_path.values() if "GET" in found and {"PUT", "PATCH"} & set(found)
    ]

    assert [
        named(item)
        for found in records
        for method, item in found.items()
        if method in {"GET", "PUT", "PATCH", "DELETE"} and not item.versioned
    ] == []


def test_what_is_versioned_is_one_record(endpoints: list[Endpoint]) -> None:
    for item in endpoints:
        assert not (item.versioned and item.lists), named(item)
        if item.versioned and item.method == "GET":
            assert item.gives, named(item)


def test_lists_are_for_who_is_known(endpoints: list[Endpoint]) -> None:
    assert [
        named(item)
        for item in endpoints
        if item.lists and not isinstance(item.access, Needs | SignedIn)
    ] == []


def test_answers_with_tokens_are_known_as_secret(endpoints: list[Endpoint]) -> None:
    secret = {named(item) for item in endpoints if item.secret}

    for route in ("register", "login", "refresh"):
        assert f"POST /api/v1/auth/{route}" in secret
    assert "GET /api/v1/auth/me" not in secret
