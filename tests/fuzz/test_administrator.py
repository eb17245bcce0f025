"""An administrator: nothing is refused, so that every endpoint shows what it says it gives."""

from pathlib import Path
from typing import Any

from storage.roles import BuiltInRole
from tests.conftest import Serve
from tests.fuzz.schemathesis import PATIENT, ask, of_people
from tests.people import person


async def test_an_administrator_meets_what_the_document_says(
    serve: Serve, owner: Any, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    boss = await person(api, owner, BuiltInRole.ADMIN)
    phases = [] if PATIENT else ["--phases", "examples,fuzzing,stateful"]

    header = f"Authorization: Bearer {boss['accessToken']}"
    await ask(api, tmp_path, "-H", header, *phases, *of_people())
