"""The request id in the header of a letter: which may be seen by whoever receives it."""

import pytest

from ops.ids import new_id
from storage.actor import operator
from tests.conftest import MakeSettings
from workers.letters import Letter, Letters


def header(make_settings: MakeSettings, request_id: str | None) -> str | None:
    """Return what a letter tells of a request."""
    letter = Letter(
        id=new_id(),
        template="welcome",
        to_address="ada@example.com",
        to_name="Ada Lovelace",
        locale="en",
        facts={"first_name": "Ada", "link": "https://id.example.com", "code": "1", "hours": 24},
        request_id=request_id,
    )
    return Letters(make_settings()).compose(letter).get("X-Request-Id")


def test_a_letter_tells_the_request_it_comes_from(make_settings: MakeSettings) -> None:
    assert header(make_settings, "follow-me.0123456789") == "follow-me.0123456789"


def test_a_letter_does_not_tell_who_gave_a_command_on_our_machine(
    make_settings: MakeSettings,
) -> None:
    assert header(make_settings, operator().request_id) is None


@pytest.mark.parametrize("request_id", [None, "", "two\r\nBcc: eve@example.com", "x" * 61])
def test_what_fits_into_no_header_is_left_out(
    make_settings: MakeSettings, request_id: str | None
) -> None:
    assert header(make_settings, request_id) is None
