"""Logs: one line an event, ids on it, and nothing in it that must not leave."""

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ops.logging import _Bridge, bound, get_logger, log_line, set_up
from ops.logging.files import Files
from ops.settings import load
from storage.tokens import TokenKind

CANARIES = {
    "a password": "password=Canary-Horse-9",
    "a password in JSON": '{"password": "Canary Horse 9", "x": 1}',
    "a password in JSON in a text": '{\\"newPassword\\": \\"Canary-Horse-9\\"}',
    "a password in a repr": "NewUser(name='x', password='Canary Horse 9')",
    "an address": "no such mailbox: canary@acme.com",
    "an address in a query": "GET /x?email=canary%40acme.com",
    "an address after a control character": "\x01canary@acme.com",
    "a refresh token": "ort_Canary0123456789abcdef.x",
    "a verification token": "GET /verify?next=%2F%3Ft%3Dove_Canary0123456789abcdef",
    "a set-up token": "/setup#osu_Canary0123456789abcdef",
    **{
        f"a token that begins with {prefix}": f"seen {prefix}Canary0123456789abcdef there"
        for prefix in (*TokenKind, "ort_", "odv_")
    },
    "a JWT": "got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJDYW5hcnkifQ.Canary_sig refused",
    "an argon2 hash": "$argon2id$v=19$m=19456,t=2,p=1$Canary$Canary",
    "a bcrypt hash": "$2b$12$CanaryCanaryCanaryCanaryCanaryCanaryCanary",
    "a sign-in in an URL": "postgresql://ostiary:Canary@x/p'w@db/ostiary is away",
    "a password alone in an URL": "redis://:Canary@cache:6379/0",
    "a key in an URL": "https://Canary0123@sentry.io/1",
    "a bearer header": 'said "Authorization: Bearer Canary.0123456789" twice',
    "another scheme": "authorization: Basic Q2FuYXJ5OkNhbmFyeQ==Canary",
    "a bearer token by itself": "BEARER Canary0123456789",
    "cookies": "Cookie: theme=dark; __Host-ostiary_refresh=Canary",
    "a cookie set": "Set-Cookie: ostiary_refresh=Canary; HttpOnly",
    "an API key": "X-Api-Key: Canary0123456789",
}
SECRET_FIELDS = (
    "password", "newPassword", "refresh_token", "apiKey", "SMTP_PASSWORD", "client_secret",
    "Cookie", "Authorization", "code", "otp",
)  # fmt: skip

Log = Callable[[], str]


@pytest.fixture(params=["json", "text"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """Log into memory in one format; give what was written so far."""
    output = io.StringIO()
    changes = {"LOG_FORMAT": request.param, "LOG_LEVEL": "debug"}
    set_up(load(changes, directory=tmp_path), process="web.1", output=output)
    yield output.getvalue
    set_up(load({"LOG_FORMAT": "json"}, directory=tmp_path), process="test")


def lines_of(tmp_path: Path, write: Callable[[], None], **changes: str) -> list[dict[str, Any]]:
    """Log as JSON into memory and read it back."""
    output = io.StringIO()
    settings = load({"LOG_FORMAT": "json"} | changes, directory=tmp_path)
    set_up(settings, process="web.1", output=output)
    write()
    set_up(load({"LOG_FORMAT": "json"}, directory=tmp_path), process="test")
    return [json.loads(line) for line in output.getvalue().splitlines()]


def fail(text: str) -> None:
    """Raise an error that says the text, inside another one."""
    try:
        raise KeyError(text)  # noqa: TRY301
    except KeyError as error:
        raise RuntimeError("wrapped") from error


@dataclass(frozen=True)
class Hostile:
    """An object whose fields are secret and whose name cannot be told."""

    password: str = "Canary"

    def __repr__(self) -> str:
        raise RuntimeError("no name")


def test_a_line_is_one_object_with_its_facts_and_ids(tmp_path: Path) -> None:
    def write() -> None:
        with bound(request_id="req_1", job_id="job_1"):
            get_logger("security").warning("refused", attempts=3, user=uuid4(), status_code=403)
        get_logger().info("after")

    first, after = lines_of(tmp_path, write)

    assert list(first)[:5] == ["time", "level", "category", "process", "event"]
    assert first["level"] == "warning"
    assert (first["category"], first["process"]) == ("security", "web.1")
    assert (first["request_id"], first["job_id"]) == ("req_1", "job_1")
    assert (first["attempts"], first["status_code"]) == (3, 403)
    assert first["time"].endswith("Z")
    assert "request_id" not in after


def test_hostile_text_stays_one_valid_line(log: Log) -> None:
    hostile = 'a"b\\c\nfaked\r\x00\x1b[2J\x7f\x85\u2028\u2029\u202e\u2066\u200f\ud800 \x01x@y.zz'

    get_logger().info(hostile, fact=hostile, nested={hostile: [hostile, {"deep": (hostile,)}]})

    assert len(log().splitlines()) == 1
    assert log().endswith("\n")
    assert not set(log()[:-1]) & set("\n\r\x00\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200f")
    if log().startswith("{"):
        assert json.loads(log())["nested"]
    log().encode()


def test_what_json_does_not_know_costs_no_line(log: Log) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop

    get_logger().info(
        "odd", loop=loop, big=1 << 70, nan=float("nan"), raw=b"\xff", kinds={1, 2}, it=Hostile()
    )

    assert len(log().splitlines()) == 1
    assert "odd" in log()
    assert "Canary" not in log()


@pytest.mark.parametrize("held", CANARIES.values(), ids=CANARIES.keys())
def test_no_secret_leaves_by_its_shape(log: Log, held: str) -> None:
    get_logger().info(held)
    get_logger().info("fact", fact=held, nested={"a": [{"b": held}], held: 1})
    log_line(held, category="access", level="info", fact=held, path=held, nested=[held])
    logging.getLogger("library").error("said %s", held)
    with bound(fact=held):
        get_logger().info("bound")
    try:
        fail(held)
    except RuntimeError as error:
        get_logger().exception("failed")
        get_logger().error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
        get_logger().warning("failed", error=error, cause=error.__cause__)

    assert "canary" not in log().lower()
    assert log().count("wrapped") >= 4


@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_no_secret_leaves_by_its_name_at_any_depth(log: Log, name: str) -> None:
    get_logger().info("event", **{name: "Canary"})
    get_logger().info("event", body={"user": [{name: "Canary", "kept": "kept"}]})
    get_logger().info("event", body=({name: {"value": ["Canary"]}},))

    assert "Canary" not in log()
    assert log().count("[hidden]") == 3
    assert "kept" in log()


def test_objects_never_show_fields_that_their_repr_hides(log: Log, tmp_path: Path) -> None:
    settings = load({"OPS_TOKEN": "Canary-Canary-Canary-Canary"}, directory=tmp_path)

    get_logger().info("read", settings=settings, all=[settings])

    assert "Canary" not in log()


def test_exit_codes_and_ordinary_words_are_not_hidden(log: Log) -> None:
    get_logger().error("web process ended", code=137, task="for_something_quite_ordinary"[4:])
    get_logger().info("bearer token of /ops is missing, basic facts follow", job="emails.welcome")

    assert "137" in log()
    assert "something_quite_ordinary" in log()
    assert "[hidden]" not in log()


def test_tracebacks_show_where_even_when_the_source_names_secrets(log: Log) -> None:
    try:
        password = int("nonsense")
        assert password
    except ValueError:
        get_logger().exception("failed")

    assert "password = int(" in log()
    assert "ValueError: invalid literal" in log()


def test_long_hostile_texts_cost_no_second(log: Log) -> None:
    started = time.process_time()

    for part in ("ey", "ey-", "token", "://a:", "a@b", "a.", "x@a-", "token='", "o_", "$2a", "=:"):
        get_logger().info(part * (60_000 // len(part)))

    assert time.process_time() - started < 3


def test_standard_loggers_and_warnings_pass_through(log: Log) -> None:
    logging.getLogger("aiohttp.server").error("library %s", "speaks")
    logging.getLogger("asyncio").info("chatter")

    assert "library speaks" in log()
    assert "aiohttp.server" in log()
    assert "chatter" not in log()


def test_warnings_of_a_process_are_lines_too(tmp_path: Path) -> None:
    program = (
        "import warnings; from ops.logging import set_up; from ops.settings import load;"
        " set_up(load({'LOG_FORMAT': 'json'}), process='web.1'); warnings.warn('old ways')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
    )

    line = json.loads(done.stdout)
    assert "old ways" in line["event"]
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert done.stderr == b""


def test_a_wrong_format_string_of_a_library_costs_neither_line_nor_caller(log: Log) -> None:
    for text, given in (("wrong %d", ("format",)), ("%(missing)s", ({"other": 1},))):
        _Bridge().emit(logging.LogRecord("library", 50, "", 0, text, given, None))

    assert "wrong %d" in log()
    assert "%(missing)s" in log()


def test_less_grave_events_than_wanted_are_not_written(tmp_path: Path) -> None:
    def write() -> None:
        get_logger().info("quiet")
        get_logger().error("loud")
        logging.getLogger("library").info("quiet")

    told = lines_of(tmp_path, write, LOG_LEVEL="warning")

    assert [line["event"] for line in told] == ["loud"]


def test_every_category_gets_the_file_it_belongs_to(tmp_path: Path) -> None:
    folder = tmp_path / "logs"

    def write() -> None:
        get_logger("access").info("one")
        get_logger("security").error("two")
        get_logger().info("three")

    lines_of(tmp_path, write, LOG_DIR=str(folder))

    found = {
        path.name: [json.loads(line)["event"] for line in path.read_text().splitlines()]
        for path in folder.iterdir()
    }
    assert found == {
        "web.1.combined.log": ["one", "two", "three"],
        "web.1.access.log": ["one"],
        "web.1.security.log": ["two"],
        "web.1.error.log": ["two"],
    }
    assert folder.stat().st_mode & 0o777 == 0o700


def test_files_are_rotated_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    files = Files(str(tmp_path), "web.1")

    for number in range(65):
        files.write(str(number) + "x" * 1_000_000, category="application", level="info")
    files.close()

    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 6
    assert max(sizes) <= 10 * 1024 * 1024


def test_an_output_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    output = io.StringIO()
    set_up(load({}, directory=tmp_path), process="web.1", output=output)
    output.close()

    get_logger().info("into the void")

    set_up(load({"LOG_FORMAT": "json"}, directory=tmp_path), process="test")
