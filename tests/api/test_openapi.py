"""The OpenAPI document is true: what it says is what strangers and people meet."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from storage.roles import BuiltInRole
from tests.conftest import Serve
from tests.people import Person, person

_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)
# Endpoints about one's own session would end the very sessions that the run goes on with.
_PEOPLES_TAGS = (
    "Users", "Profiles", "Roles", "Teams", "Content", "Audit", "Jobs", "Tasks", "Statistics",
)  # fmt: skip


async def schemathesis(api: aiohttp.ClientSession, folder: Path, *options: str) -> tuple[int, str]:
    """Run schemathesis against a server's own document; return its exit code and what it told."""
    url = str(api._base_url).rstrip("/")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{url}/api/docs/openapi.json", "--suppress-health-check", "all", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 240)
    return process.returncode or 0, told.decode()


def as_peers(folder: Path, **people: Person) -> None:
    """Write the configuration that makes every request as one of several people."""
    auth = [
        {
            "name": name,
            "fixedHeaders": [
                {"name": "Authorization", "value": f"Bearer {who['accessToken']}"},
            ],
        }
        for name, who in people.items()
    ]
    (folder / "peers.json").write_text(json.dumps({"auth": auth}))
    names = json.dumps(list(people))
    (folder / "schemathesis.toml").write_text(f'[auth.wfc]\npath = "peers.json"\npeers = {names}\n')


def of_people(choice: str = "--include-tag") -> list[str]:
    """Return the options that choose the endpoints about people, or leave them out."""
    return [option for tag in _PEOPLES_TAGS for option in (choice, tag)]


async def test_hundreds_of_requests_made_of_the_document_are_answered_as_it_says(
    serve: Serve, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_auth_failures="off")

    code, told = await schemathesis(
        api, tmp_path, "--checks", _CHECKS, "--max-examples", "20",
        "--phases", "examples,coverage,fuzzing",
    )  # fmt: skip

    assert code == 0, told[-6_000:]


async def test_two_users_meet_what_the_document_says_and_nothing_of_each_other(
    serve: Serve, owner: Any, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    as_peers(tmp_path, ada=await person(api, owner), grace=await person(api, owner))
    checks = f"{_CHECKS},object_level_authorization,ignored_auth"

    code, told = await schemathesis(
        api, tmp_path, "--checks", checks, "--max-examples", "10", *of_people()
    )

    assert code == 0, told[-6_000:]


async def test_an_administrator_meets_what_the_document_says(
    serve: Serve, owner: Any, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    boss = await person(api, owner, BuiltInRole.ADMIN)
    header = f"Authorization: Bearer {boss['accessToken']}"

    code, told = await schemathesis(
        api, tmp_path, "--checks", _CHECKS, "--max-examples", "10", "-H", header, *of_people()
    )

    assert code == 0, told[-6_000:]
