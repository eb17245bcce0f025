"""What is left of an error report when it leaves: where the mistake is, and nobody's data."""

import json
from typing import Any

import pytest

from ops.error_reports.scrubbing import scrubbed


def _event(kind: str, value: str) -> dict[str, Any]:
    frame = {
        "abs_path": "/srv/canary/ostiary/api/app.py",
        "filename": "/srv/canary/ostiary/api/app.py",
        "function": "f",
        "lineno": 1,
        "vars": {"password": "Canary"},
    }
    error = {"type": kind, "value": value, "stacktrace": {"frames": [frame]}}
    return {
        "exception": {"values": [error]},
        "request": {"data": "Canary", "headers": {"Authorization": "Canary"}},
        "user": {"email": "Canary"},
        "extra": {"sys.argv": ["Canary"]},
        "breadcrumbs": {"values": [{"message": "Canary"}]},
        "contexts": {"runtime": {"name": "CPython"}, "trace": {"data": "Canary"}},
        "tags": {
            "note": "canary@acme.example ort_Canary0123456789abcdef",
            "request_id": "command-canary-0a1b2c3d",
        },
        "modules": {"Canary": "1"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ValueError", "no such mailbox: canary@acme.example"),
        ("ValueError", "got ort_Canary0123456789abcdef and osu_Canary0123456789abcdef"),
        ("ValueError", "invalid literal for int() with base 10: 'Canary Horse'"),
        ("ValueError", 'not a name: "O\'Canary"'),
        ("DataError", 'invalid input syntax for type uuid: "canary_bird"'),
        ("DataError", 'invalid input syntax for type uuid: "a" canary "b"'),
        ("DataError", 'invalid input syntax for type uuid: "of table "canary""'),
        ("KeyError", "'Canary'"),
        ("ImportError", "cannot import name 'app' from 'api' (/srv/canary/api/__init__.py)"),
        ("DataError", "invalid input for query argument $2: Canary (expected a number)"),
        ("DataError", "invalid input for query argument $2: 'Canary' ('str' object cannot)"),
        ("UniqueViolationError", "duplicate key\nDETAIL:  Key (email)=(Canary) already exists."),
        ("RuntimeError", "password=Canary-Horse-9"),
        ("RuntimeError", "Authorization: Bearer Canary.0123456789"),
        ("OSError", "postgresql://ostiary:Canary@db/ostiary is away"),
    ],
)
def test_messages_lose_what_may_be_somebodys(kind: str, value: str) -> None:
    told = json.dumps(scrubbed(_event(kind, value)))

    assert "canary" not in told.lower()
    assert "acme" not in told


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("AttributeError", "'NoneType' object has no attribute 'email'"),
        ("ImportError", "cannot import name 'app' from 'api' (unknown location)"),
        ("TypeError", "unsupported operand type(s) for /: 'int' and 'str'"),
        ("UndefinedTableError", 'relation "users" does not exist'),
        ("UndefinedColumnError", 'column "mail" of relation "users" does not exist'),
        (
            "UniqueViolationError",
            'duplicate key value violates unique constraint "users_email_key"',
        ),
        ("RuntimeError", "the tools are not open"),
    ],
)
def test_messages_about_our_own_code_stay_whole(kind: str, value: str) -> None:
    (error,) = scrubbed(_event(kind, value))["exception"]["values"]

    assert (error["type"], error["value"]) == (kind, value)
    assert error["stacktrace"]["frames"] == [{"filename": "app.py", "function": "f", "lineno": 1}]
