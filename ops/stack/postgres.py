"""PostgreSQL in a folder: made whole or not at all, durable, reached by a Unix socket only."""

import locale
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from ops.child import Spawn
from ops.stack import binaries
from ops.stack.home import Place, Progress, StackError, free_megabytes
from ops.stack.memory import megabytes, shared_buffers
from ops.stack.server import Server, end_orphans, environment, run

DATABASE = "ostiary"
OWNER, API, WORKER = "ostiary_owner", "ostiary_api", "ostiary_worker"
MONITOR = "ostiary_monitor"
SUPERUSER = "postgres"
ROLES = (SUPERUSER, OWNER, API, WORKER, MONITOR)

_STOPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0))
_ROOM_FOR_INITDB = 200
_PID_FILE = "postmaster.pid"
_STATUS_LINE = 7
_FIRST_WITH_BUILTIN_LOCALES = 17
_FIRST_WITH_IO_WORKERS = 18

# A laptop's share of memory, no standing processes that nobody needs, logs without personal data.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "64MB",
    "huge_pages": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "4",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "1min",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u ",
    "log_checkpoints": "off",
    "log_min_duration_statement": "1s",
    # DETAIL lines and bound values hold the rows' contents, that is: people's addresses.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
}

_SET_UP = """
SET log_min_error_statement = panic;
CREATE ROLE {owner} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{owner_password}';
CREATE ROLE {api} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{api_password}';
CREATE ROLE {worker} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{worker_password}';
CREATE DATABASE {database} OWNER {owner};
REVOKE ALL ON DATABASE {database}, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {owner}, {api}, {worker};
\\connect {database}
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO {owner};
"""

# It reads the server's statistics and settings, and nobody's rows.
_SET_UP_MONITOR = """
SET log_min_error_statement = panic;
SELECT 'CREATE ROLE {monitor}' WHERE NOT EXISTS (
  SELECT FROM pg_roles WHERE rolname = '{monitor}') \\gexec
ALTER ROLE {monitor} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE
  CONNECTION LIMIT 5 PASSWORD '{password}';
GRANT CONNECT ON DATABASE {database} TO {monitor};
GRANT pg_monitor TO {monitor};
"""


class Postgres:
    """The PostgreSQL server of a place; settings override the house's own."""

    def __init__(
        self,
        place: Place,
        programs: binaries.Postgres,
        *,
        passwords: Mapping[str, str],
        settings: Mapping[str, str],
    ) -> None:
        self.data = place.data / "postgres"
        self.server = Server("postgres", place, _STOPS)
        self._place = place
        self._programs = programs
        self._passwords = passwords
        self._settings = {
            **_SETTINGS,
            "shared_buffers": shared_buffers(megabytes()),
            **({"io_method": "sync"} if programs.major >= _FIRST_WITH_IO_WORKERS else {}),
            "unix_socket_directories": str(place.sockets),
            **settings,
        }

    def url(self, role: str) -> str:
        """Return the address as libpq and asyncpg read it, with the role's password."""
        password = quote(self._passwords[role], safe="")
        return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(self._place.sockets))}"

    def launch(self, progress: Progress, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start the server; a first start makes the database, which takes about a second.

        `meanwhile` is called once while a program of PostgreSQL works.
        """
        is_new = not self.data.exists()
        if is_new:
            self._create(progress, meanwhile)
        else:
            self._check_version()
        self._clear_former(self.data, progress)
        self._start(self.data, {})
        if not is_new:
            meanwhile()

    def await_ready(self, progress: Progress) -> None:
        """Wait until it accepts connections, through a recovery if it takes one."""
        self.server.await_ready(
            lambda: self._is_ready(self.data),
            lambda: progress("PostgreSQL is recovering from an unclean stop"),
        )

    def admit_monitor(self) -> None:
        """Make the role that exporters sign in as, or give it the password that it has here."""
        password = self._passwords[MONITOR]
        script = _SET_UP_MONITOR.format(monitor=MONITOR, password=password, database=DATABASE)
        self._ask(script, task="Creating the role of the exporter")

    def _create(self, progress: Progress, meanwhile: Callable[[], None]) -> None:
        draft = self.data.with_name(".postgres.new")
        progress(f"Creating the PostgreSQL {self._programs.major} database in {self.data}")
        free = free_megabytes(self._place.data)
        if free < _ROOM_FOR_INITDB:
            raise StackError(
                f"Only {free} MB are free for {self.data}, {_ROOM_FOR_INITDB} MB are needed:"
                " free some space, or set OSTIARY_HOME to a folder elsewhere."
            )
        if draft.exists():
            self._clear_former(draft, progress)
            shutil.rmtree(draft)
        self._initdb(draft, meanwhile)
        self._start(draft, {"fsync": "off"})
        try:
            self.server.await_ready(lambda: self._is_ready(draft), lambda: None)
            self._set_up()
        finally:
            self.server.tell_to_stop()
            self.server.await_stop()
        if self._settings["fsync"] == "on":
            self._run("initdb", "--sync-only", f"--pgdata={draft}", task="Syncing the new database")
        # Only a whole database gets the name: an interrupted first start is simply repeated.
        draft.rename(self.data)

    def _initdb(self, draft: Path, meanwhile: Callable[[], None]) -> None:
        locales = ["--locale=C.UTF-8" if _knows_letters() else "--locale=C"]
        if self._programs.major >= _FIRST_WITH_BUILTIN_LOCALES:
            # The kinds of characters are of the system: trigrams want to know what a letter is.
            locales = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            locales += ["--lc-ctype=C.UTF-8"] if _knows_letters() else []
        fixed = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        who = [f"--username={SUPERUSER}", "--pwfile=/dev/stdin"]
        self._run(
            *("initdb", *fixed, *locales, *who, f"--pgdata={draft}"),
            task="Creating the database folder",
            stdin=self._passwords[SUPERUSER] + "\n",
            meanwhile=meanwhile,
        )

    def _set_up(self) -> None:
        script = _SET_UP.format(
            database=DATABASE,
            owner=OWNER,
            api=API,
            worker=WORKER,
            owner_password=self._passwords[OWNER],
            api_password=self._passwords[API],
            worker_password=self._passwords[WORKER],
        )
        self._ask(script, task="Creating the roles")

    def _ask(self, script: str, *, task: str) -> None:
        self._run(
            *("psql", "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER),
            *("-h", str(self._place.sockets), "-d", "postgres"),
            task=task,
            stdin=script,
            secrets={"PGPASSWORD": self._passwords[SUPERUSER]},
        )

    def _run(
        self,
        program: str,
        *arguments: str,
        task: str,
        stdin: str = "",
        secrets: Mapping[str, str] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        descriptor = self._place.secret(stdin)
        how = Spawn(
            death_signal=signal.SIGKILL,
            environment=environment(dict(secrets or {})),
            folder=self._place.data,
            account=self._place.account,
            input=descriptor,
        )
        try:
            run([self._programs.folder / program, *arguments], how, task=task, meanwhile=meanwhile)
        finally:
            os.close(descriptor)

    def _start(self, data: Path, extra: Mapping[str, str]) -> None:
        command: list[str | Path] = [self._programs.folder / "postgres", "-D", data]
        for name, value in {**self._settings, **extra}.items():
            command += ["-c", f"{name}={value}"]
        self.server.launch(command, data)

    def _is_ready(self, data: Path) -> bool:
        lines = _lines(data / _PID_FILE)
        # A file left by a former server says `ready` too: it must be our child's.
        return (
            len(lines) > _STATUS_LINE
            and lines[0] == str(self.server.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )

    def _clear_former(self, data: Path, progress: Progress) -> None:
        end_orphans(data, frozenset({"postgres"}), _STOPS, progress)
        # Nobody works here any more. A pid that was given to another process meanwhile (likely in
        # containers) would make PostgreSQL take these files for a living server's.
        (data / _PID_FILE).unlink(missing_ok=True)
        for leftover in self._place.sockets.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def _check_version(self) -> None:
        lines = _lines(self.data / "PG_VERSION")
        if not lines:
            raise StackError(
                f"{self.data} holds no PostgreSQL data: move it away (for a new database),"
                " or restore it from a backup."
            )
        if lines[0] != str(self._programs.major):
            raise StackError(
                f"{self.data} holds data of PostgreSQL {lines[0]}, the programs are of"
                f" {self._programs.major}: set POSTGRES_BIN to programs of {lines[0]}, or dump"
                " with those, move the folder away and restore."
            )


def check_passwords(place: Place) -> None:
    """Refuse data whose passwords were lost: nobody could sign in to it."""
    file, data = place.home / "passwords.json", place.data / "postgres"
    if data.exists() and not file.exists():
        raise StackError(
            f"{file} is missing but {data} is there: restore that file from a backup,"
            " or move the folder away for a new database."
        )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _knows_letters() -> bool:
    """Say whether this system has C.UTF-8, as every Linux of the last years does."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return True
