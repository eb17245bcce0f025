"""`make up` as a newcomer runs it: one process, a card, everything stopped at the end."""

import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ops.child import Child, Spawn, spawn, tell
from ops.settings.read import STACK_FILE
from tests import commands
from tests.factories import free_port, free_socket, new_user
from tests.furniture import furnished
from tests.nursery import Forking
from tests.ops.stacks import ROOT, open_room, wait_until

_CLEAN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEYS", "OPS_TOKEN", "PORT", "OSTIARY_HOME")


def post(port: int, path: str, body: dict[str, Any] | None = None) -> Any:
    """POST a body, or GET without one; return the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def ready(port: int) -> bool:
    """Say whether a service answers that all is well."""
    try:
        return bool(post(port, "/health/ready")["data"]["status"] == "ok")
    except OSError:
        return False


class Up:
    """One run of `python -m ops up` in a home of its own; forked, or an interpreter of its own."""

    def __init__(self, home: Path, forking: Forking | None = None, **changes: str) -> None:
        self.home = home
        self.port = free_port()
        self.output = home.parent / f"output-{time.monotonic_ns()}"
        environment = {name: text for name, text in os.environ.items() if name not in _CLEAN}
        environment |= {"PORT": str(self.port), "OSTIARY_HOME": str(home), "WEB_PROCESSES": "1"}
        environment |= {name.upper(): text for name, text in changes.items()}
        with self.output.open("wb") as file:
            how = Spawn(
                death_signal=signal.SIGTERM,
                environment=environment,
                folder=ROOT,
                output=file.fileno(),
            )
            self.process: Child = (
                forking.start("ops", ["up"], how)
                if forking
                else spawn([sys.executable, "-m", "ops", "up"], how)
            )

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return self.output.read_text(encoding="utf-8")

    def await_card(self) -> str:
        """Wait for the card and return what was printed."""
        wait_until(lambda: "  Stop " in self.text or self.process.poll() is not None, 60)
        assert "  Stop " in self.text, self.text
        return self.text

    def tree(self) -> list[psutil.Process]:
        """Return the process and everything beneath it."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST a body; return the JSON of the answer."""
        return post(self.port, path, body)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop it and return the exit code."""
        tell(self.process, how)
        return self.process.wait(60)


@pytest.fixture
def up(furniture: Path, forking: Forking) -> Iterator[Callable[..., Up]]:
    """Run the whole service, as often as a test likes, in one home that has a database."""
    runs: list[Up] = []
    with open_room() as folder:
        home = furnished(folder / "home", furniture)

        def run(**changes: str) -> Up:
            runs.append(Up(home, forking, **changes))
            return runs[-1]

        yield run
        _stop(runs)


@pytest.fixture
def nowhere() -> Iterator[Callable[..., Up]]:
    """Run the whole service as a newcomer does: where nothing is."""
    runs: list[Up] = []
    with open_room() as folder:

        def run(**changes: str) -> Up:
            runs.append(Up(folder / "home", **changes))
            return runs[-1]

        yield run
        _stop(runs)


def _stop(runs: list[Up]) -> None:
    for one in runs:
        if one.process.poll() is None:
            one.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(furniture: Path, forking: Forking) -> Iterator[Up]:
    """Run the whole service for tests that only look at it."""
    with open_room() as folder:
        run = Up(furnished(folder / "home", furniture), forking)
        run.await_card()
        yield run
        run.stop()


def gone(processes: list[psutil.Process]) -> bool:
    """Say whether all of them have ended; a zombie has."""
    return not any(map(_lives, processes))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_from_nothing_to_a_letter_and_back_to_nothing_and_what_was_kept_is_found(
    nowhere: Callable[..., Up],
) -> None:
    run = nowhere()

    card = run.await_card()
    told = run.ask("/api/v1/auth/register", new_user(email="kept@example.com"))
    mail = run.home / "mail"
    wait_until(lambda: mail.is_dir() and bool(list(mail.glob("*.eml"))))
    link = re.search(r"http://localhost:\d+/setup\?token=\S+", card)
    assert link is not None
    url = link[0].replace("localhost", "127.0.0.1")
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        assert b"<form" in answer.read()
    processes = run.tree()
    code = run.stop()

    assert told["success"] is True
    assert f"http://localhost:{run.port}/api/docs" in card
    assert "curl -X POST" in card
    assert code == 0
    assert "did not end in time" not in run.text
    assert len(processes) > 8
    wait_until(lambda: gone(processes))
    assert "kept@example.com" not in run.text.replace(card, "")
    assert (run.home.stat().st_mode & 0o777) == 0o700
    assert ((run.home / "keys.env").stat().st_mode & 0o777) == 0o600
    assert not (run.home / STACK_FILE).exists()

    second = nowhere(admin_email="root@example.com", admin_password="Correct-Horse-9")
    card = second.await_card()

    assert "PostgreSQL 18 data from" in card
    assert "root@example.com is the administrator" in card
    body = {"email": "kept@example.com", "password": "Correct-Horse-9"}
    assert second.ask("/api/v1/auth/login", body)["success"] is True


def test_killed_processes_come_back_and_a_killed_supervisor_takes_them_along(
    up: Callable[..., Up],
) -> None:
    first = up()
    first.await_card()

    for name in ("postgres", "valkey-server", "workers.relay"):
        victims = [one for one in first.tree() if name in " ".join(one.cmdline()[:3])]
        victims[0].kill()
        victims[0].wait(10)
        wait_until(lambda: ready(first.port))
    first.ask("/api/v1/auth/register", new_user(email="kept@example.com"))
    wait_until(lambda: bool(list((first.home / "mail").glob("*.eml"))))
    processes = first.tree()

    tell(first.process, signal.SIGKILL)
    first.process.wait()
    wait_until(lambda: gone(processes))
    second = up()
    second.await_card()

    body = {"email": "kept@example.com", "password": "Correct-Horse-9"}
    assert second.ask("/api/v1/auth/login", body)["success"] is True


def test_what_keeps_it_from_starting_is_one_line_with_the_cure(up: Callable[..., Up]) -> None:
    with free_socket() as taken:
        port = taken.getsockname()[1]
        held = up(port=str(port))
        assert held.process.wait(30) == 1
        assert f"PORT {port} cannot be taken" in held.text
        assert f"pid {os.getpid()}" in held.text

    wrong = up(port="x", environment="moon", web_processes="-1")
    assert wrong.process.wait(30) == 78
    assert {line.partition("=")[0] for line in wrong.text.splitlines()} >= {
        "PORT", "ENVIRONMENT", "WEB_PROCESSES",
    }  # fmt: skip

    weak = up(admin_email="root@example.com", admin_password="weak")
    assert weak.process.wait(60) == 1
    assert "at least 8 characters" in weak.text

    for run in (held, wrong, weak):
        assert "Traceback" not in run.text


def test_a_home_that_cannot_be_written_is_told(up: Callable[..., Up], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")

    run = up(ostiary_home=str(blocked / "home"))

    assert run.process.wait(30) == 1
    assert "OSTIARY_HOME" in run.text
    assert "Traceback" not in run.text


def test_a_second_start_on_the_same_home_names_the_first(running: Up, forking: Forking) -> None:
    second = Up(running.home, forking)

    assert second.process.wait(30) == 1
    assert str(running.process.pid) in second.text
    assert running.ask("/health")["success"] is True
    assert (running.home / STACK_FILE).exists()


def test_databases_of_one_s_own_need_keys_and_are_waited_for(up: Callable[..., Up]) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

    without_keys = up(database_url=url)

    assert without_keys.process.wait(30) == 78
    assert "SECRET_KEYS: required" in without_keys.text


async def test_doctor_of_a_running_service_finds_nothing_wrong(
    running: Up, forking: Forking
) -> None:
    environment = {name: text for name, text in os.environ.items() if name not in _CLEAN}

    environment |= {"OSTIARY_HOME": str(running.home), "PORT": str(running.port)}

    code, said, _ = await commands.run(forking, "ops", "doctor", "--json", environ=environment)

    findings = json.loads(said)
    assert code == 0, findings
    assert {item["name"] for item in findings} >= {
        "settings", "disk", "postgresql", "redis", "migrations", "keys", "roles", "letters",
    }  # fmt: skip
