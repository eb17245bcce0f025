"""What a profile takes and how it is written down; and what it refuses, naming the field."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.factories import register
from tests.people import call

PATH = "/users/me/profile"
TODAY = datetime.now(UTC).date()

TAKEN: list[tuple[str, Any, Any]] = [
    ("bio", "  two\r\nlines \n", "two\nlines"),
    ("bio", "e\u0301", "\u00e9"),
    ("bio", "x" * 2_000, "x" * 2_000),
    ("bio", "e\u0301" * 2_000, "\u00e9" * 2_000),
    ("bio", "\U0001f469\u200d\U0001f4bb \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ...),
    ("bio", "<script>'; DROP TABLE users --", ...),
    ("phone", "+43 (660) 123-45.67", "+436601234567"),
    ("phone", "0043 660 1234567", "+436601234567"),
    ("phone", "+1234567", ...),
    ("phone", "+123456789012345", ...),
    ("phone", None, None),
    ("dateOfBirth", "1900-01-01", ...),
    ("dateOfBirth", "2000-02-29", ...),
    ("dateOfBirth", str(TODAY - timedelta(days=1)), ...),
    ("dateOfBirth", None, None),
    ("timezone", "Europe/Vienna", ...),
    ("timezone", "America/Argentina/Buenos_Aires", ...),
    ("timezone", "Etc/GMT+5", ...),
    ("timezone", "UTC", ...),
    ("timezone", None, None),
    ("language", "EN", "en"),
    ("language", "de-at", "de-AT"),
    ("language", "zh-hant-TW", "zh-Hant-TW"),
    ("language", "sl-rozaj-biske", ...),
    ("language", "es-419", ...),
    ("language", "de-CH-1996-u-co-phonebk-x-private", "de-CH-1996-u-co-phonebk-x-private"),
    ("notificationPreferences", {"a": True, "b": {"email": False, "push": True}, "c": {}}, ...),
    ("notificationPreferences", {f"n{number}": True for number in range(50)}, ...),
    ("profilePicture", "http://pictures.example.com/a.png", ...),
    ("profilePicture", None, None),
]

REFUSED: list[tuple[str, Any]] = [
    ("bio", "x" * 2_001),
    ("bio", "x" * 900_000),
    ("bio", "bell \u0007"),
    ("bio", "tab\there"),
    ("bio", "old Macintosh\rline"),
    ("bio", "turned \u202eround"),
    ("bio", "isolated \u2066text"),
    ("bio", "nothing \u0000"),
    ("bio", None),
    ("bio", 7),
    ("bio", ["x"]),
    ("phone", ""),
    ("phone", "660 1234567"),
    ("phone", "+0660123456"),
    ("phone", "+123456"),
    ("phone", "+1234567890123456"),
    ("phone", "+43 (0) 660 1234567"),
    ("phone", "+43 ( 0 ) 660 1234567"),
    ("phone", "+43 (\u00a00.)660 1234567"),
    ("phone", "+43 660 CALLME"),
    ("phone", "+\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18"),
    ("phone", "+4366012345\n67"),
    ("phone", 436601234567),
    ("phone", "+" + "1" * 900_000),
    ("dateOfBirth", str(TODAY + timedelta(days=1))),
    ("dateOfBirth", str(TODAY)),
    ("dateOfBirth", "1899-12-31"),
    ("dateOfBirth", "2001-02-29"),
    ("dateOfBirth", "20000101"),
    ("dateOfBirth", "2000-W01-1"),
    ("dateOfBirth", "2000-1-1"),
    ("dateOfBirth", "2000-01-01T00:00:00Z"),
    ("dateOfBirth", 946684800),
    ("timezone", "Mars/Olympus"),
    ("timezone", "Europe"),
    ("timezone", "../../../etc/passwd"),
    ("timezone", "/etc/localtime"),
    ("timezone", "posix/Europe/Vienna"),
    ("timezone", "localtime"),
    ("timezone", "A" * 900_000),
    ("timezone", ""),
    ("language", None),
    ("language", "english"),
    ("language", "e"),
    ("language", "en_US"),
    ("language", "en-"),
    ("language", "de-1996-1996"),
    ("language", "en-a-bb-a-cc"),
    ("language", "\u212an"),
    ("language", "en-x-" + "a" * 40),
    ("notificationPreferences", None),
    ("notificationPreferences", []),
    ("notificationPreferences", {"a": 1}),
    ("notificationPreferences", {"a": "true"}),
    ("notificationPreferences", {"a": None}),
    ("notificationPreferences", {"a": {"fax": True}}),
    ("notificationPreferences", {"a": {"email": 1}}),
    ("notificationPreferences", {"a": {"email": {"deep": True}}}),
    ("notificationPreferences", {"": True}),
    ("notificationPreferences", {"a b": True}),
    ("notificationPreferences", {f"n{number}": True for number in range(51)}),
    ("notificationPreferences", {
        f"{number:02}".rjust(64, "n"): {"email": True, "push": True, "sms": True}
        for number in range(50)
    }),
    ("profilePicture", "javascript:alert(1)"),
    ("profilePicture", "not a link"),
    ("profilePicture", ""),
    ("firstName", "Mallory"),
    ("userId", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"),
    ("unreadable", []),
    ("version", 7),
    ("role", "admin"),
]  # fmt: skip


def named(value: Any) -> str:
    return ascii(value)[:30]


@pytest.mark.parametrize(("name", "sent", "kept"), TAKEN, ids=named)
async def test_what_is_right_is_written_one_way(
    api: aiohttp.ClientSession, name: str, sent: Any, kept: Any
) -> None:
    ada = await register(api)

    status, told = await call(api, ada, "PUT", PATH, {name: sent})
    _, read = await call(api, ada, "GET", PATH)

    assert status == 200, told
    assert told["data"][name] == read["data"][name] == (sent if kept is ... else kept)


@pytest.mark.parametrize(("name", "sent"), REFUSED, ids=named)
async def test_what_is_wrong_is_refused_by_name(
    api: aiohttp.ClientSession, owner: Any, name: str, sent: Any
) -> None:
    ada = await register(api)

    status, told = await call(api, ada, "PUT", PATH, {name: sent})

    assert status == 400, told
    if told["error"]["code"] == "VALIDATION_ERROR":  # NUL is no JSON of ours at all
        assert [detail["field"] for detail in told["error"]["details"]] == [name]
    assert await owner.fetchval("SELECT count(*) FROM user_profiles") == 0


async def test_every_wrong_field_is_named_at_once(api: aiohttp.ClientSession) -> None:
    ada = await register(api)
    wrong = {"bio": 1, "phone": "1", "dateOfBirth": "x", "timezone": "x", "language": "x-", "q": 1}

    _, told = await call(api, ada, "PUT", PATH, wrong)

    assert {detail["field"] for detail in told["error"]["details"]} == set(wrong)


def test_a_machine_without_time_zones_takes_what_looks_like_one() -> None:
    lines = [
        "from api.profiles.fields import TimeZone",
        "from marshmallow import ValidationError",
        "from zoneinfo import available_timezones",
        "assert not available_timezones()",
        "assert TimeZone().deserialize('Mars/Olympus') == 'Mars/Olympus'",
        "try:",
        "    TimeZone().deserialize('../etc/passwd')",
        "except ValidationError:",
        "    print('refused')",
    ]

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("refused\n", 0), done.stderr
