"""`up`: the servers, the migrations, the first admin, every process of the Procfile, and a card.

It runs what production runs, in one foreground process that takes everything along when it ends.
"""

import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from ops.card import card
from ops.child import Child, Spawn
from ops.company import Company, Invite, nobody
from ops.nursery import Nursery
from ops.ports import holder
from ops.procfile import ProcfileError, Supervisor, parse_formation, read
from ops.settings import Settings, load
from ops.settings.keys import keep_keys, write_private
from ops.settings.read import STACK_FILE
from ops.stack import Addresses, Stack, StackError

ROOT = Path(__file__).parents[1]

# What the migrations run, and then all others: the Procfile's processes, their children, the admin.
FIRST = ("storage",)
OTHERS = (
    "api",
    "api.serving.master",
    "api.serving.child",
    "api.setup.command",
    "workers",
    "workers.relay",
    "workers.clock",
)
_PROBE_SECONDS = 0.4
_GRACE_SECONDS = 8.0
_REVIVE_SECONDS = 5.0
_ADMIN_SECONDS = "300"


class CannotStart(Exception):  # noqa: N818 - read as a sentence where it is caught
    """Something keeps the service from starting; the message names the cure."""


def up(formation: Sequence[str], *, reload: bool = False, invite: Invite = nobody) -> int:
    """Run everything, and whoever is invited, until SIGINT or SIGTERM; return the exit code.

    Raises SettingsInvalid or CannotStart before anything was started.
    """
    started = time.monotonic()
    settings = _settings_with_keys()
    _check_port(settings)
    try:
        types = read(ROOT / "Procfile")
        counts = parse_formation(formation, types)
    except (ProcfileError, ValueError) as error:
        raise CannotStart(str(error)) from error
    # With --reload, what is imported here is soon what the files said before.
    first, others = ((), ()) if reload else (FIRST, OTHERS)
    nursery = Nursery()
    stack = Stack(settings.home, postgres=not settings.database_url, redis=not settings.redis_url)
    try:
        addresses = stack.start(progress=_say, meanwhile=partial(nursery.prepare, *first))
        with _told(settings, addresses):
            company = invite(settings, stack, addresses)
            supervisor = Supervisor(
                [*types, *company.types],
                formation=counts,
                environment=lambda name: company.environments.get(name) or _environment(),
                output=sys.stdout,
                colour=sys.stdout.isatty(),
                grace=_GRACE_SECONDS + settings.drain_seconds,
                nursery=nursery,
            )
            run = _Run(settings, stack, supervisor, company, started, reload=reload)
            return run.run(nursery, others)
    except StackError as error:
        raise CannotStart(str(error)) from error
    finally:
        stack.stop()


class _Run:
    """One run of everything, once the servers answer."""

    def __init__(  # noqa: PLR0913 - it is made in one place
        self,
        settings: Settings,
        stack: Stack,
        supervisor: Supervisor,
        company: Company,
        started: float,
        *,
        reload: bool,
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._supervisor = supervisor
        self._company = company
        self._started = started
        self._watched = _newest_change() if reload else None
        self._admin: Child | None = None
        self._admin_said = tempfile.TemporaryFile()  # noqa: SIM115 - read when it ended
        self._refused = ""
        self._revive_after = 0.0

    def run(self, nursery: Nursery, modules: Sequence[str]) -> int:
        """Migrate, start the processes, see to the first admin, and watch."""
        code = self._supervisor.run_once("release", partial(nursery.prepare, *modules))
        if code:
            raise CannotStart("The migrations failed (see above); nothing else was started.")
        self._supervisor.start()
        self._admin = self._ask_for_admin(nursery)
        code = self._supervisor.supervise(self._tick)
        if self._refused:
            raise CannotStart(self._refused)
        return code

    def _ask_for_admin(self, nursery: Nursery) -> Child:
        how = Spawn(
            death_signal=signal.SIGTERM,
            environment=_environment(),
            folder=ROOT,
            output=self._admin_said,
        )
        # Tables may be held: somebody seeds a million people the moment this answers.
        return nursery.start("api", ["admin", "create", "--json", "--wait", _ADMIN_SECONDS], how)

    def _welcome(self) -> None:
        """Print the card once the first admin is seen to and requests are answered."""
        if self._admin is None or self._admin.poll() is None or not _answers(self._settings):
            return
        self._admin = None
        self._admin_said.seek(0)
        said = self._admin_said.read().decode(errors="replace")
        try:
            answer: dict[str, Any] = json.loads(said.splitlines()[-1])
        except (IndexError, ValueError):
            answer = {"ok": False, "text": said.strip()}
        if answer["ok"]:
            found = self._stack.found
            rows = self._company.rows
            _say(card(self._settings, admin=answer, found=found, more=rows, started=self._started))
        else:
            self._refused = answer["text"]
            self._supervisor.stop()

    def _tick(self) -> None:
        self._revive()
        self._welcome()
        if self._watched is not None and (newest := _newest_change()) > self._watched:
            self._watched = newest
            self._restart()

    def _revive(self) -> None:
        """Start servers again that ended; when one cannot be, say so once and wait a little."""
        ended = self._stack.check()
        if not ended or time.monotonic() < self._revive_after:
            return
        _say(f"{', '.join(ended)} ended; starting again")
        try:
            self._stack.revive(progress=_say)
        except StackError as error:
            self._revive_after = time.monotonic() + _REVIVE_SECONDS
            _say(str(error))

    def _restart(self) -> None:
        _say("a file changed; restarting")
        for label, pid in self._supervisor.pids.items():
            what = signal.SIGHUP if label.startswith("web.") else signal.SIGTERM
            with suppress(ProcessLookupError):
                os.kill(pid, what)


def _settings_with_keys() -> Settings:
    """Read the settings; make the keys first when the database is ours to make."""
    seen = load(strict=False, running=False)
    if not seen.database_url and not seen.secret_keys:
        try:
            _own_home(seen.home)
            if keep_keys(seen.home):
                _say(f"made new keys in {seen.home / 'keys.env'}")
        except OSError as error:
            raise CannotStart(
                f"{seen.home} cannot be written ({error.strerror});"
                " set OSTIARY_HOME to a folder that can"
            ) from error
    settings = load(running=False)
    for warning in settings.warnings:
        _say(warning)
    return settings


def _own_home(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.chmod(0o700)


def _check_port(settings: Settings) -> None:
    """Raise CannotStart while nothing is started yet, when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            pid = holder(settings.port)
            by = f" by pid {pid}" if pid else ""
            raise CannotStart(
                f"PORT {settings.port} cannot be taken on {settings.host}: {error.strerror}{by};"
                " set PORT or stop what has it"
            ) from error


@contextmanager
def _told(settings: Settings, addresses: Addresses) -> Iterator[None]:
    """Let every process, and every command of another terminal, find the servers meanwhile."""
    urls = {
        "DATABASE_URL": addresses.database_url,
        "WORKER_DATABASE_URL": addresses.worker_database_url,
        "MIGRATION_DATABASE_URL": addresses.migration_database_url,
        "REDIS_URL": addresses.redis_url,
    }
    lines = [f"{name}={url}\n" for name, url in urls.items() if url]
    write_private(settings.home / STACK_FILE, "".join(lines))
    try:
        yield
    finally:
        with suppress(OSError):
            (settings.home / STACK_FILE).unlink()


def _environment() -> dict[str, str]:
    """Return our environment, with this Python's commands first on the PATH.

    Processes may keep their bytecode: without it each one compiles everything at every start.
    """
    folder = str(Path(sys.executable).parent)
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def _answers(settings: Settings) -> bool:
    host = settings.host.replace("0.0.0.0", "127.0.0.1").replace("::", "::1")  # noqa: S104
    connection = HTTPConnection(host, settings.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200  # noqa: PLR2004
    except OSError:
        return False
    finally:
        connection.close()


def _newest_change() -> float:
    folders = ("api", "workers", "storage", "ops")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return max(path.stat().st_mtime for path in files)


def _say(text: str) -> None:
    with suppress(OSError):  # a terminal that is gone, a full disk: neither ends the service
        print(text, flush=True)
