"""`python -m ops watch` as somebody runs it, in a home of its own, and what can be done to it."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from ops.child import Spawn, spawn
from ops.settings.read import KEYS_FILE, read_env_file
from ops.watch.programs import PROGRAMS
from tests.factories import PASSWORD, free_port
from tests.ops.stacks import ROOT, open_room, wait_until

ADMIN = "watch-admin@example.com"

_CLEAN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEYS", "OPS_TOKEN", "PORT", "OSTIARY_HOME")
# Grafana is not in Debian: a script stands in, which writes down how it was started.
_GRAFANA = """#!/bin/sh
/bin/mkdir -p "$GF_PATHS_DATA"
/usr/bin/env > "$GF_PATHS_DATA/environment"
echo "$@" > "$GF_PATHS_DATA/arguments"
exec /bin/sleep 1000
"""


def missing_packages() -> list[str]:
    """Return the Debian packages without which nothing can be watched here."""
    debian = [one for one in PROGRAMS if one.name != "grafana"]
    return [one.files[0] for one in debian if not any(map(shutil.which, one.files))]


class House:
    """One run of `python -m ops watch`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.output = folder / "output"
        self.port = free_port()
        environment = {name: text for name, text in os.environ.items() if name not in _CLEAN}
        environment |= {
            "PATH": str(_programs(folder / "bin")),
            "PORT": str(self.port),
            "OSTIARY_HOME": str(self.home),
            "WEB_PROCESSES": "1",
            "ADMIN_EMAIL": ADMIN,
            "ADMIN_PASSWORD": PASSWORD,
            "TRUSTED_PROXIES": "127.0.0.1",
            "RATE_LIMIT_ANONYMOUS": "100000/1h",
            "RATE_LIMIT_AUTHENTICATED": "100000/1h",
        }
        with self.output.open("wb") as file:
            how = Spawn(
                death_signal=signal.SIGTERM, environment=environment, folder=ROOT, output=file
            )
            self.process = spawn([sys.executable, "-m", "ops", "watch"], how)

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return self.output.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        """Where requests are answered."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def watch(self) -> Path:
        """The folder of what watches."""
        return self.home / "watch"

    @property
    def superuser_url(self) -> str:
        """Where PostgreSQL lets its administrator in."""
        password = json.loads((self.home / "passwords.json").read_text())["postgres"]
        return f"postgresql://postgres:{quote(password)}@/ostiary?host={self.home / 'sockets'}"

    def await_card(self) -> str:
        """Wait for the card and return what was printed."""
        wait_until(lambda: "  Stop " in self.text or self.process.poll() is not None, 60)
        assert "  Stop " in self.text, self.text
        return self.text

    def address(self, row: str) -> str:
        """Return the URL in a row of the card."""
        found = re.search(rf"^  {row} +(http://127\.0\.0\.1:\d+)", self.text, re.MULTILINE)
        assert found, self.text
        return found[1]

    def tree(self) -> list[psutil.Process]:
        """Return the process and everything beneath it."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def pid(self, *words: str) -> int:
        """Return the one process whose command line has all these words."""
        found = [one for one in self.tree() if set(words) <= set(_words(one))]
        leaders = [one for one in found if one.ppid() not in {other.pid for other in found}]
        assert len(leaders) == 1, (words, found)
        return leaders[0].pid

    def reload(self) -> None:
        """Let Prometheus and Alertmanager read their files again."""
        for name in ("prometheus", "alertmanager"):
            os.kill(self.pid_of(name), signal.SIGHUP)

    def secrets(self) -> set[str]:
        """Return what nobody may read in the list of processes."""
        kept = read_env_file(self.home / KEYS_FILE)
        passwords: dict[str, str] = json.loads((self.home / "passwords.json").read_text())
        return {kept["OPS_TOKEN"], kept["SECRET_KEYS"], *passwords.values()}

    def grafana(self) -> dict[str, str]:
        """Return the environment that Grafana was started with."""
        return read_env_file(self.watch / "grafana" / "environment")

    def pid_of(self, name: str) -> int:
        """Return the process of one of the programs that watch."""
        files = next(one.files for one in PROGRAMS if one.name == name)
        paths = (self.output.parent / "bin" / file for file in files)
        return self.pid(next(str(path) for path in paths if path.exists()))

    def stop(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


def _words(process: psutil.Process) -> list[str]:
    try:
        return " ".join(process.cmdline()).split()
    except psutil.Error:
        return []


def _programs(folder: Path) -> Path:
    """Give a PATH with the programs of Debian's packages and a Grafana of straw."""
    folder.mkdir()
    for file in (file for one in PROGRAMS for file in one.files if one.name != "grafana"):
        if found := shutil.which(file):
            (folder / file).symlink_to(found)
    (folder / "grafana").write_text(_GRAFANA)
    (folder / "grafana").chmod(0o755)
    return folder


@contextmanager
def watched() -> Iterator[House]:
    """Run everything; end it if nobody did."""
    with open_room(on_disk=True) as folder:
        house = House(folder)
        try:
            yield house
        finally:
            if house.process.poll() is None:
                house.process.send_signal(signal.SIGTERM)
                house.process.wait(30)
