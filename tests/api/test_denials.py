"""What was denied is written down with whom or what it was aimed at."""

import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from ops.ids import new_id
from tests.api.teams import member, team
from tests.conftest import Serve
from tests.factories import PASSWORD
from tests.people import admin, call, id_of, manager, person

_DENIED = """
SELECT subject_id::text AS subject, facts FROM audit_inbox
WHERE action = 'access.denied' ORDER BY id
"""


async def denied(owner: Any) -> list[tuple[str | None, dict[str, Any]]]:
    """Return subject and facts of every denial, in order."""
    return [(row["subject"], json.loads(row["facts"])) for row in await owner.fetch(_DENIED)]


async def test_whose_role_somebody_wished_to_change_is_found_by_the_filter(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead, ada = await admin(api, owner), await manager(api, owner), await person(api, owner)

    status, _ = await call(api, lead, "PUT", f"/users/{id_of(ada)}/roles/admin")
    _, told = await call(
        api, boss, "GET", f"/audit?filter[subject]={id_of(ada)}&filter[outcome]=denied"
    )

    (event,) = told["data"]
    assert status == 403
    assert (event["actor"], event["subject"]) == (id_of(lead), id_of(ada))
    assert event["facts"]["route"] == "PUT /api/v1/users/{id}/roles/{role}"
    assert event["facts"]["role"] == "admin"
    assert "id" not in event["facts"]


async def test_who_was_to_get_into_a_team_is_the_subject_and_the_team_a_fact(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    ada, grace = await member(api, lead, made), await person(api, owner)

    await call(api, ada, "PUT", f"/teams/{made['id']}/members/{id_of(grace)}")
    await call(api, ada, "PUT", f"/teams/{made['id']}/members/me", {"role": "manager"})
    await call(api, ada, "PATCH", f"/teams/{made['id']}", {"name": "Mine"})

    found = await denied(owner)
    assert [subject for subject, _ in found] == [id_of(grace), id_of(ada), made["id"]]
    assert [facts.get("id") for _, facts in found] == [made["id"], made["id"], None]


@pytest.mark.parametrize("path", ["/users/me/roles/admin", "/users/{ada}/roles/admin"])
async def test_me_in_a_path_is_who_called(
    api: aiohttp.ClientSession, owner: Any, path: str
) -> None:
    ada = await person(api, owner)

    await call(api, ada, "PUT", path.format(ada=id_of(ada).upper()))

    assert [subject for subject, _ in await denied(owner)] == [id_of(ada)]


async def test_me_is_nobody_where_the_path_is_not_about_people(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    await call(api, ada, "GET", "/roles/me")

    [(subject, facts)] = await denied(owner)
    assert (subject, facts["id"]) == (None, "me")


async def test_a_role_is_told_by_the_name_it_has_in_the_path_and_nobody_else_is(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    await call(api, ada, "DELETE", "/roles/auditor")
    await call(api, ada, "DELETE", "/users/auditor")

    assert [facts.get("id") for _, facts in await denied(owner)] == ["auditor", None]


async def test_an_id_that_nobody_has_is_written_down_as_it_is(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, nobody = await person(api, owner), str(new_id())

    await call(api, ada, "DELETE", f"/users/{nobody}")

    assert [subject for subject, _ in await denied(owner)] == [nobody]


@pytest.mark.parametrize(
    "typed",
    [
        "ada@example.com",
        "Ada Lovelace",
        "+44 20 7946 0958",
        "\0",
        "one\r\ntwo",
        "\u202egnp",
        "Æ",
        "../etc",
        "a/b",
        "%ff",
        "%ed%a0%80",
        "' OR 1=1",
        "ada.lovelace",
        "4915112345678",
        "ort_k1_ABCDEFGHIJKLMNOPQRSTUV",
        "a" * 64 + "@example.com",
        "y" * 2_000,
    ],
)
async def test_what_names_nothing_is_no_fact_whatever_people_type(
    api: aiohttp.ClientSession, owner: Any, typed: str
) -> None:
    ada, said = await person(api, owner), typed if typed.startswith("%") else quote(typed, safe="")

    status, _ = await call(api, ada, "PUT", f"/users/{said}/roles/{said}")

    [(subject, facts)] = await denied(owner)
    assert status == 403
    assert (subject, facts.keys() & {"id", "role"}) == (None, set())


async def test_what_waits_for_a_proved_address_or_a_recent_sign_in_is_written_down_too(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    path = f"/users/{id_of(ada)}/roles/manager"
    await owner.execute("UPDATE users SET email_verified = false WHERE id = $1", id_of(boss))
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 day'")

    answers = [
        await call(api, boss, "PUT", path),
        await call(api, ada, "DELETE", "/auth/me"),
        await call(api, ada, "POST", "/auth/change-email", {"newEmail": "grace@example.com"}),
        await call(api, ada, "PUT", path),
    ]

    codes = ["EMAIL_NOT_VERIFIED", "STEP_UP_REQUIRED", "STEP_UP_REQUIRED", "FORBIDDEN"]
    assert [(status, told["error"]["code"]) for status, told in answers] == [
        (403, code) for code in codes
    ]
    found = await denied(owner)
    assert [facts["code"] for _, facts in found] == codes
    assert [subject for subject, _ in found] == [id_of(ada), None, None, id_of(ada)]


async def test_who_may_not_sign_in_before_their_address_is_proved_is_refused_once(
    serve: Serve, api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    await owner.execute("UPDATE users SET email_verified = false")
    insisting = await serve(require_verified_email="login")
    credentials = {"email": ada["user"]["email"], "password": PASSWORD}

    status, told = await call(insisting, None, "POST", "/auth/login", credentials)

    refused = "SELECT count(*) FROM audit_inbox WHERE action = 'session.refused'"
    assert (status, told["error"]["code"]) == (403, "EMAIL_NOT_VERIFIED")
    assert (await denied(owner), await owner.fetchval(refused)) == ([], 1)
