"""Two users: neither gets at what belongs to the other."""

from pathlib import Path
from typing import Any

from tests.conftest import Serve
from tests.fuzz.schemathesis import CHECKS, as_peers, ask, of_people
from tests.people import person


async def test_two_users_meet_what_the_document_says_and_nothing_of_each_other(
    serve: Serve, owner: Any, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    as_peers(tmp_path, ada=await person(api, owner), grace=await person(api, owner))
    checks = f"{CHECKS},object_level_authorization,ignored_auth"

    await ask(api, tmp_path, *of_people(), checks=checks)
