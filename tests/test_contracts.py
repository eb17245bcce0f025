"""The whole house keeps its rules: what it promises is there, listed, current and small enough."""

import ast
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from api.access import Needs, OpsToken, Public, SignedIn
from api.app import all_endpoints
from api.docs.errors import rows
from api.docs.files import files
from api.envelope import STATUSES
from api.routing import Endpoint
from ops.errors import Kind, Problem
from ops.procfile import read
from ops.settings import load
from ops.settings.example import example
from storage.jobs import CATALOGUE, queue_of, queues
from workers.actor import WORKS

ROOT = Path(__file__).parents[1]
FLOORS = ("api", "workers", "storage", "ops")
CODES = {
    "VALIDATION_ERROR", "BAD_REQUEST", "UNAUTHORIZED", "INVALID_TOKEN", "INVALID_CREDENTIALS",
    "FORBIDDEN", "ACCOUNT_DEACTIVATED", "EMAIL_NOT_VERIFIED", "STEP_UP_REQUIRED", "NOT_FOUND",
    "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE", "CONFLICT", "DUPLICATE_ENTRY", "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "UNPROCESSABLE_ENTITY",
    "PRECONDITION_REQUIRED", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE",
}  # fmt: skip
# Endpoints that the general limit leaves alone, each for its reason.
UNLIMITED = {
    "/api/v1/auth/refresh": "counted per session, by the handler",
    "/health": "load balancers ask all the time",
    "/health/ready": "load balancers ask all the time",
    "/.well-known/jwks.json": "every verifier asks, and what it gets is cached",
    "/ops/prometheus/targets": "only holders of OPS_TOKEN get this far",
    "/ops/status": "administrators' pages draw themselves anew; being sent away is counted there",
    "/api/docs": "static pages",
    "/assets/": "static files",
    "/dev/mailbox": "development only, on the machine of whoever develops",
}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager"}


def sources(*folders: str) -> Iterator[Path]:
    """Give every Python file of these folders, tracked or new."""
    for folder in folders or (*FLOORS, "tests"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def tracked() -> list[Path]:
    """Return every text file that git knows or will know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    paths = [ROOT / name for name in listed]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


def shown(path: Path) -> str:
    """Return a path as an offender is printed."""
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def endpoints() -> list[Endpoint]:
    """Give every endpoint there is in development."""
    return all_endpoints(load({}, directory=Path("/nonexistent"), strict=False))


def test_every_job_has_an_actor_in_its_queues_module_and_a_process_that_does_it() -> None:
    for queue in queues():
        importlib.import_module(f"workers.{queue}")
    served = {
        queue: kind.name
        for kind in read(ROOT / "Procfile")
        if (found := re.search(r"-m workers --queues ([a-z_ ]+?)(?: --|$)", kind.command))
        for queue in found[1].split()
    }

    assert set(WORKS) == set(CATALOGUE)
    assert set(served) == set(queues())
    for name, job in CATALOGUE.items():
        assert re.fullmatch("[a-z_]+[.][a-z_]+", name)
        assert job.__doc__, name
        assert queue_of(name) in served


def test_every_command_of_the_procfile_names_a_module_that_is_there() -> None:
    for kind in read(ROOT / "Procfile"):
        found = re.match(r"python -m ([a-z_.]+)", kind.command)
        assert found, kind
        spec = importlib.util.find_spec(found[1])
        assert spec, kind
        if spec.submodule_search_locations:
            assert importlib.util.find_spec(f"{found[1]}.__main__"), kind


def test_every_problem_is_of_the_public_list_and_says_what_to_do() -> None:
    listed = (ROOT / "docs" / "ERRORS.md").read_text()

    for problem in Problem.declared:
        if problem.__module__.partition(".")[0] in FLOORS:
            assert problem.code in CODES, problem
            assert f"`{problem.code}`" in listed, problem
            assert (problem.__doc__ or "").strip(), problem
    assert set(STATUSES) == set(Kind)
    assert {row.code for row in rows()} <= CODES


def test_every_endpoint_is_documented_guarded_and_limited(endpoints: list[Endpoint]) -> None:
    for endpoint in endpoints:
        assert endpoint.summary.endswith("."), endpoint.path
        assert isinstance(endpoint.access, Public | SignedIn | Needs | OpsToken), endpoint.path
        if not endpoint.limited:
            assert any(endpoint.path.startswith(path) for path in UNLIMITED), endpoint.path
        for schema in (endpoint.takes, endpoint.gives):
            if endpoint.documented and schema is not None:
                held: Any = schema
                assert held.example, (endpoint.path, schema)


def test_operations_have_ids_of_their_own(endpoints: list[Endpoint]) -> None:
    names = Counter(item.handler.__name__ for item in endpoints if item.documented)
    routes = Counter(
        (item.method, path) for item in endpoints for path in (item.path, *item.aliases)
    )

    assert [name for name, count in names.items() if count > 1] == []
    assert [route for route, count in routes.items() if count > 1] == []


def test_the_openapi_document_is_valid(endpoints: list[Endpoint]) -> None:
    found = json.loads(files()["openapi.json"])

    validate(found)
    assert set(found["paths"]) == {item.path for item in endpoints if item.documented}


def test_generated_files_are_current() -> None:
    for name, text in files().items():
        assert (ROOT / "docs" / name).read_text() == text, f"docs/{name} is old: make docs"
    assert (ROOT / ".env.example").read_text() == example(), ".env.example is old: make docs"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the floors of a tree."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("", ""),
        ("api/paging.py", "import workers.actor"),
        ("workers/paging.py", "import api.keys"),
        ("storage/paging.py", "import workers.actor"),
        ("ops/paging.py", "import storage.jobs"),
        ("ops/paging.py", "import asyncpg"),
        ("api/paging.py", "import redis"),
        ("workers/paging.py", "from aiohttp import web"),
        ("storage/paging.py", "import marshmallow"),
        ("api/paging.py", "import dramatiq"),
    ],
)
def test_the_floors_hold_and_break_when_a_forbidden_import_is_planted(
    tmp_path: Path, module: str, planted: str
) -> None:
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pyc*"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if module:
        (tmp_path / module).write_text(f'"""Planted."""\n\n{planted}\n')

    done = lint(tmp_path)

    assert (done.returncode != 0) == bool(module), done.stdout[-2000:]
    if module:
        assert "BROKEN" in done.stdout
        assert module.replace("/", ".").removesuffix(".py") in done.stdout


def test_no_file_is_long_and_no_function_is() -> None:
    offenders = []
    for path in sources():
        text = path.read_text()
        if (length := text.count("\n")) > 300:
            offenders.append(f"{shown(path)}: {length} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 50:
                    offenders.append(f"{shown(path)}:{node.lineno} {node.name}: {length} lines")

    assert offenders == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_nothing_has_a_name_that_says_nothing() -> None:
    assert [
        shown(path)
        for path in sources()
        if BANNED_NAMES & {path.stem, *path.relative_to(ROOT).parent.parts}
    ] == []


def test_tests_patch_mock_and_skip_nothing() -> None:
    banned = re.compile("monkey" + "patch|unittest" + r"\.mock|mark\.(skip|xfail)|pytest\.skip\(")
    # Reasons a user would accept: no package index has a browser or a Prometheus, and not everybody
    # may mount. WATCHING=required, as in .ci/run, has nothing skipped for want of a Prometheus.
    accepted = re.compile(
        r'pytest\.skip\("Chromium is not installed \(apt install chromium\): [a-z ]+"\)'
        r'|mark\.skipif\(\s+not _may_mount\(\), reason="only root with the right to mount '
        r'|mark\.skipif\([^=]+= "required",\s+reason=f?"not installed; on Debian: apt install '
    )

    found = [
        shown(path)
        for path in sources("tests")
        if banned.search(accepted.sub("", path.read_text()))
    ]

    assert found == []


def test_no_tracked_file_names_an_index_or_a_folder_of_somebody() -> None:
    banned = re.compile(
        r"(--(extra-)?index-url\s+http|(?<![\w.])(/home|/Users|/work|/root)/[\w.-]+/[\w.-]+"
        r"|://[\w.-]+/simple|index-url\s*=)"
    )
    offenders = [
        f"{shown(path)}: {found[0]}"
        for path in tracked()
        if path.name != "test_contracts.py"
        and "static" not in path.parts
        and (found := banned.search(path.read_text(errors="replace")))
    ]

    assert offenders == []


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements.lock", ["embedded"]), ("requirements-dev.lock", ["embedded", "dev"])],
)
def test_the_lock_files_satisfy_the_project(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    text = (ROOT / lock).read_text()
    pins = {
        canonicalize_name(name): version
        for name, version in re.findall(
            r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", text, re.MULTILINE
        )
    }

    for line in wanted:
        requirement = Requirement(line)
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"{line} is not in {lock}: make lock"
        assert requirement.specifier.contains(Version(pin), prereleases=True), f"{line}: {pin}"
    unhashed = re.findall(r"^[\w.-]+==\S+(?! \\)[^\\\n]*$", text, re.MULTILINE)
    assert unhashed == []
