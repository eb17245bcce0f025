"""Schemathesis against a server's own document; `make fuzz` asks more than `make test` does."""

import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp

from tests.people import Person

# Made up for an endpoint, apart from the boundaries of every value of the document.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
PATIENT = "FUZZ_EXAMPLES" in os.environ
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)
# Endpoints about one's own session would end the very sessions that the run goes on with.
_PEOPLES_TAGS = (
    "Users", "Profiles", "Roles", "Teams", "Content", "Audit", "Jobs", "Tasks", "Statistics",
)  # fmt: skip


async def ask(
    api: aiohttp.ClientSession, folder: Path, *options: str, checks: str = CHECKS
) -> None:
    """Ask a server what its document lets one ask; fail with what was told."""
    url = str(api._base_url).rstrip("/")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{url}/api/docs/openapi.json", "--suppress-health-check", "all"),
        *("--max-examples", str(EXAMPLES), "--checks", checks, *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 1_800 if PATIENT else 240)
    assert process.returncode == 0, told.decode()[-6_000:]


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
