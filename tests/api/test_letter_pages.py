"""Pages that letters lead to: they work without JavaScript, and opening them changes nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import guessed_out
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, register
from tests.mailroom import Mailroom, code_of, token_of
from workers.toolbox import Tools

AUTH = "/api/v1/auth"
NEW = "Fresh-Giraffe-7"
PAGES = [
    "/verify-email",
    "/resend-verification",
    "/forgot-password",
    "/reset-password",
    "/confirm-email",
    "/undo-email-change",
]


class Page(HTMLParser):
    """What of a page matters to whoever cannot see it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every tag of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def opened(api: aiohttp.ClientSession, page: str, **query: str) -> tuple[int, str]:
    async with api.get(page, params=query) as answer:
        return answer.status, await answer.text()


async def pressed(
    api: aiohttp.ClientSession, page: str, *, headers: dict[str, str] | None = None, **form: str
) -> tuple[int, str]:
    async with api.post(page, data=form, headers=headers) as answer:
        assert answer.content_type == "text/html"
        return answer.status, await answer.text()


async def call(
    api: aiohttp.ClientSession, path: str, who: dict[str, Any] | None = None, **body: str
) -> int:
    headers = bearer(who) if who else {}
    async with api.post(f"{AUTH}/{path}", json=body, headers=headers) as answer:
        return answer.status


async def letters_of_all_pages(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> list[tuple[str, str]]:
    """Cause every letter with a link that is good now; return the pages and their tokens."""
    mine = await register(api)
    await call(api, "verify-email", token=token_of(await mailroom.one("welcome")))
    await call(api, "change-email", mine, newEmail="a@example.com", currentPassword=PASSWORD)
    await call(api, "confirm-email", token=token_of(await mailroom.one("confirm_change")))
    undo = token_of(await mailroom.one("email_changed"))
    await call(api, "change-email", mine, newEmail="b@example.com", currentPassword=PASSWORD)
    confirm = token_of(await mailroom.one("confirm_change"))
    await call(api, "forgot-password", email="a@example.com")
    reset = token_of(await mailroom.one("reset"))
    await register(api)
    verify = token_of(await mailroom.one("welcome"))
    return list(zip(PAGES[::5] + PAGES[3:5], [verify, undo, reset, confirm], strict=True))


async def test_opening_a_page_of_any_letter_changes_nothing(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    found = await letters_of_all_pages(api, mailroom)
    tables = (
        *("users", "sessions", "email_verification_tokens", "password_reset_tokens"),
        *("email_changes", "audit_inbox", "outbox", "sign_in_failures"),
    )

    async def everything() -> list[Any]:
        texts = [f'SELECT t::text FROM "{table}" t ORDER BY 1' for table in tables]  # noqa: S608
        return [await owner.fetch(text) for text in texts]

    before = await everything()
    for page, token in found:
        for _ in range(3):
            status, text = await opened(api, page, token=token)
            assert status == 200
            assert token in text
            async with api.head(page, params={"token": token}) as answer:
                assert answer.status == 200

    assert await everything() == before
    (verify, undo, reset, _) = found
    assert (await pressed(api, verify[0], token=verify[1]))[0] == 200
    assert (await pressed(api, reset[0], token=reset[1], newPassword=NEW))[0] == 200
    assert (await pressed(api, undo[0], token=undo[1]))[0] == 200


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_is_plain_labelled_and_keeps_to_itself(
    api: aiohttp.ClientSession, page: str
) -> None:
    async with api.get(page, params={"token": '"><script>alert(1)</script>'}) as answer:
        text = await answer.text()

    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    found = Page(text)
    assert found.all("script") == []
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("h1")) == 1
    assert "width=device-width" in str(found.all("meta")[1]["content"])
    labels = {label["for"] for label in found.all("label")}
    inputs = [item for item in found.all("input") if item.get("type") != "hidden"]
    assert {item["id"] for item in inputs} == labels
    assert all(item["autocomplete"] for item in inputs)
    assert [form["action"] for form in found.all("form")] == [page]
    assert not any(
        str(item.get("src") or item.get("href")).startswith("http") for _, item in found.tags
    )


@pytest.mark.parametrize("page", PAGES)
async def test_a_form_of_another_site_is_refused(
    api: aiohttp.ClientSession, owner: Any, page: str
) -> None:
    form = {"email": "a@example.com", "token": "x", "newPassword": NEW}
    for site in ("cross-site", "same-site", "nonsense"):
        status, text = await pressed(api, page, headers={"Sec-Fetch-Site": site}, **form)
        assert status == 403
        assert "another site" in text
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0
    for site in ("same-origin", "none"):
        status, _ = await pressed(api, page, headers={"Sec-Fetch-Site": site}, **form)
        assert status in {200, 400}


async def test_a_forgotten_password_is_chosen_anew_by_pages_alone(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    address = (await register(api))["user"]["email"]
    await mailroom.deliver()

    status, known = await pressed(api, "/forgot-password", email=address)
    _, unknown = await pressed(api, "/forgot-password", email="nobody@example.com")
    token = token_of(await mailroom.one("reset"))
    weak, page = await pressed(api, "/reset-password", token=token, newPassword="weak")
    done, text = await pressed(api, "/reset-password", token=token, newPassword=NEW)

    assert status == 200
    assert known == unknown
    assert (weak, done) == (400, 200)
    found = Page(page)
    (field,) = [item for item in found.all("input") if item["name"] == "newPassword"]
    assert field["aria-invalid"] == "true"
    assert "newPassword-mistake" in str(field["aria-describedby"]).split()
    assert field["autocomplete"] == "new-password"
    assert field["value"] == ""
    assert "at least 8 characters" in page
    assert token in page
    assert NEW not in text
    assert await call(api, "login", email=address, password=NEW) == 200


async def test_codes_can_be_typed_into_the_pages(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await register(api)
    address = mine["user"]["email"]
    verify = code_of(await mailroom.one("welcome"))

    status, page = await pressed(api, "/verify-email", email=address, code="12")
    assert status == 400
    assert "Six digits." in page
    assert (await pressed(api, "/verify-email", email=address, code=verify))[0] == 200
    await call(api, "change-email", mine, newEmail="a@example.com", currentPassword=PASSWORD)
    confirm = code_of(await mailroom.one("confirm_change"))
    assert (await pressed(api, "/confirm-email", email="a@example.com", code=confirm))[0] == 200
    await pressed(api, "/forgot-password", email="a@example.com")
    code = code_of(await mailroom.one("reset"))
    form = {"email": "a@example.com", "code": code, "newPassword": NEW}
    assert (await pressed(api, "/reset-password", **form))[0] == 200
    assert await owner.fetchval("SELECT email_verified FROM users") is True


async def test_links_that_are_used_or_invented_say_how_to_go_on(
    api: aiohttp.ClientSession,
) -> None:
    for page, way_on in [
        ("/verify-email", "/resend-verification"),
        ("/reset-password", "/forgot-password"),
    ]:
        for token in ("invented", "x" * 199):
            status, text = await pressed(api, page, token=token, newPassword=NEW)
            assert status == 400
            assert way_on in {item["href"] for item in Page(text).all("a")}
    for page in ("/confirm-email", "/undo-email-change"):
        for form in ({"token": "invented"}, {"token": "x" * 5_000}, {}):
            assert (await pressed(api, page, **form))[0] == 400


async def test_another_letter_can_be_asked_for_on_a_page(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    address = (await register(api))["user"]["email"]
    await mailroom.deliver()

    status, page = await pressed(api, "/resend-verification", email=address)
    wrong, form = await pressed(api, "/resend-verification", email='nonsense"><b>')

    assert (status, wrong) == (200, 400)
    assert "<b>" not in form
    assert "Not a valid e-mail address." in form
    token = token_of(await mailroom.one("verification"))
    assert (await pressed(api, "/verify-email", token=token))[0] == 200
    assert "mailbox" in page


async def test_too_many_codes_are_told_on_a_page_too(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="off")
    form = {"email": "a@example.com", "code": "123456", "newPassword": NEW}
    found = [await pressed(api, "/reset-password", **form) for _ in range(12)]

    assert guessed_out([status for status, _ in found])
    refused = next(text for status, text in found if status == 429)
    assert re.search(r"Try again in \d+ seconds", refused)


async def test_the_old_address_takes_its_account_back_by_a_page(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await register(api)
    await call(api, "verify-email", token=token_of(await mailroom.one("welcome")))
    await call(api, "change-email", mine, newEmail="a@example.com", currentPassword=PASSWORD)
    await pressed(api, "/confirm-email", token=token_of(await mailroom.one("confirm_change")))
    token = token_of(await mailroom.one("email_changed"))

    status, text = await pressed(api, "/undo-email-change", token=token)

    assert status == 200
    assert "letter" in text
    assert await owner.fetchval("SELECT email FROM users") == mine["user"]["email"]
    assert (await pressed(api, "/undo-email-change", token=token))[0] == 400
