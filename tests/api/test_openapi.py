"""The OpenAPI document is true: what it says is what a client meets."""

import asyncio
import sys
from pathlib import Path

from tests.conftest import Serve

_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)


async def test_hundreds_of_requests_made_of_the_document_are_answered_as_it_says(
    serve: Serve, tmp_path: Path
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_auth_failures="off")
    url = str(api._base_url).rstrip("/")

    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{url}/api/docs/openapi.json", "--checks", _CHECKS, "--max-examples", "50"),
        *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 120)

    assert process.returncode == 0, told.decode()[-6_000:]
