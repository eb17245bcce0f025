"""Strangers: everything that needs nobody, and in `make fuzz` all that is refused to them."""

from pathlib import Path

from tests.conftest import Serve
from tests.fuzz.schemathesis import PATIENT, ask, of_people


async def test_what_a_stranger_asks_is_answered_as_the_document_says(
    serve: Serve, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_auth_failures="off")
    options = [] if PATIENT else of_people("--exclude-tag")

    await ask(api, tmp_path, "--phases", "examples,coverage,fuzzing", *options)
