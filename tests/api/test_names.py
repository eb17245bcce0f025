"""Names in every script: what joins letters is taken and found again, what hides is not."""

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.api.pieces import write
from tests.api.teams import team
from tests.people import admin, call, id_of, manager, person

PERSIAN = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
SINHALA = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
MALAYALAM = "\u0d1c\u0d4b\u0d23\u0d4d\u200d"  # an older spelling: the joiner makes the last letter
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467 family"
HEART = "\U0001f469\u200d\u2764\ufe0f\u200d\U0001f468"

_JOINERS = "Write the joiners U+200C and U+200D one at a time, between what they join."
_UNKNOWN = "Leave out characters that are none, or unknown here."
_UNSEEN = "Write at least one letter, digit or sign that can be seen."
_CONTROLS = "Control characters are not allowed."


def messages(told: Any, field: str) -> list[str]:
    """Return what an answer says of a field."""
    return [item["message"] for item in told["error"]["details"] if item["field"] == field]


@pytest.mark.parametrize("name", [PERSIAN, SINHALA, MALAYALAM, f"{MALAYALAM} {SINHALA}"], ids=ascii)
async def test_joiners_belong_to_names_of_people(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    ada = await person(api, owner, firstName=name)

    status, told = await call(api, ada, "PATCH", "/users/me", {"lastName": name})

    assert (status, told["data"]["firstName"], told["data"]["lastName"]) == (200, name, name)


@pytest.mark.parametrize("name", [PERSIAN, SINHALA, FAMILY, HEART], ids=ascii)
async def test_joiners_belong_to_names_of_teams_and_to_titles(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    lead = await manager(api, owner)

    made = await team(api, lead, name=name, description=name)
    piece = await write(api, lead, title=name, body=name)

    assert (made["name"], made["description"], piece["title"]) == (name, name, name)


@pytest.mark.parametrize(
    "name",
    [
        "A\u200cda", "A\u200dda", "\u0391\u200c\u03bd", "\u200cAda",
        "Ada\u200d", "A\u200c\u200dda", "A\u200d\u200dda", "Ada \u200cB",
        "Ada\u200c B", "\u200c\u200d", "\u0dca \u200d\u0dbb",
    ],
    ids=ascii,
)  # fmt: skip
async def test_joiners_that_join_nothing_are_refused(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    ada = await person(api, owner)

    status, told = await call(api, ada, "PATCH", "/users/me", {"firstName": name})

    assert status == 400
    assert _JOINERS in messages(told, "firstName")


@pytest.mark.parametrize(
    "sign",
    [
        "\u202e", "\u2066", "\u200e", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u061c", "\t",
        "\U000e0041",
    ],
    ids=ascii,
)  # fmt: skip
async def test_what_hides_or_turns_text_is_still_refused(
    api: aiohttp.ClientSession, owner: Any, sign: str
) -> None:
    lead = await manager(api, owner)

    found = [
        await call(api, lead, "PATCH", "/users/me", {"firstName": f"A{sign}da"}),
        await call(api, lead, "POST", "/teams", {"name": f"A{sign}da"}),
        await call(api, lead, "POST", "/content", {"title": f"A{sign}da"}),
    ]

    assert [status for status, _ in found] == [400] * 3
    told = zip(found, ("firstName", "name", "title"), strict=True)
    assert [messages(answer, field) for (_, answer), field in told] == [[_CONTROLS]] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("\u3164\u3164", _UNSEEN),
        ("\u115f\u115f", _UNSEEN),
        ("\u1160\uffa0", _UNSEEN),
        ("\u2800\u2800", _UNSEEN),
        ("\u0301\u0301", _UNSEEN),
        ("\ufe0f\u3164\u20e3", _UNSEEN),
        ("\ufffe\uffff", _UNKNOWN),
        ("Ada\ufdd0", _UNKNOWN),
        ("Ada\U0001ffff", _UNKNOWN),
        ("Ada\U0002fffe", _UNKNOWN),
        ("\u0378\u0378", _UNKNOWN),
        ("Ada\u0378", _UNKNOWN),
    ],
    ids=ascii,
)
async def test_names_show_something_and_only_what_there_is(
    api: aiohttp.ClientSession, owner: Any, name: str, message: str
) -> None:
    lead = await manager(api, owner)

    found = [
        await call(api, lead, "PATCH", "/users/me", {"firstName": name}),
        await call(api, lead, "POST", "/teams", {"name": name}),
        await call(api, lead, "POST", "/content", {"title": name}),
    ]

    assert [status for status, _ in found] == [400] * 3
    told = zip(found, ("firstName", "name", "title"), strict=True)
    assert [messages(answer, field) for (_, answer), field in told] == [[message]] * 3


@pytest.mark.parametrize(
    "name",
    [
        *("\u2014\u2014", "42", "\U0001f600\U0001f600", "A\u3164", "\u1100\u1161\u1112"),
        # Of a Unicode that is newer than Python's: an emoji, ideographs of names.
        *("\U0001faef\U0001faef", "\U0002ebf0\U0002ebf0", "\U000323b0\U000323b0"),
    ],
    ids=ascii,
)
async def test_signs_emoji_and_what_unicode_adds_every_year_are_names(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    lead = await manager(api, owner)

    status, told = await call(api, lead, "POST", "/teams", {"name": name})

    assert status == 201, told


async def test_a_description_of_a_role_may_be_empty(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)

    status, told = await call(
        api, boss, "POST", "/roles", {"name": "editor", "rank": 5, "description": " "}
    )

    assert (status, told["data"]["description"]) == (201, "")


async def test_a_name_with_a_joiner_is_found_as_it_is_spelled(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    ali = await person(api, owner, firstName=PERSIAN, lastName=SINHALA)
    made = await team(api, boss, name=f"{PERSIAN} {FAMILY}")
    await call(api, boss, "PUT", f"/teams/{made['id']}/members/{id_of(ali)}", {})
    piece = await write(api, boss, title=f"{SINHALA} {FAMILY}")

    found = {}
    for path, words in {
        "/users": (PERSIAN, SINHALA, PERSIAN[:4], PERSIAN[2:5], f"{PERSIAN} {SINHALA}"),
        f"/teams/{made['id']}/members": (PERSIAN, SINHALA, f"{SINHALA} {PERSIAN}"),
        "/teams": (PERSIAN, FAMILY, FAMILY[:3]),
        "/content": (SINHALA, FAMILY, FAMILY[:3]),
    }.items():
        for word in words:
            _, told = await call(api, boss, "GET", f"{path}?search={quote(word)}&limit=100")
            found[path, word] = {item.get("userId", item.get("id")) for item in told["data"]}

    wanted = {"/teams": made["id"], "/content": piece["id"]}
    assert found == {key: {wanted.get(key[0], id_of(ali))} for key in found}
