"""How processes of the Procfile end: by signals, by a terminal that closes, again and again."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.nursery import Nursery
from ops.procfile import ProcessType, Supervisor
from ops.procfile.lines import Printer
from ops.procfile.process import Process
from tests.ops.stacks import ROOT, is_gone, wait_until

# With a terminal of its own, as a shell starts it; the release first, as `ops up` does.
RUN = """
import os, signal, sys
from pathlib import Path
from ops.procfile import Supervisor, read
if sys.argv[2]:
    os.open(sys.argv[2], os.O_RDWR)
if sys.argv[3] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
supervisor = Supervisor(read(Path(sys.argv[1])), formation={}, environment=lambda _: os.environ,
                        output=sys.stdout, colour=False)
print("release gave", supervisor.run_once("release"), flush=True)
supervisor.start()
print("started", sorted(supervisor.pids), flush=True)
sys.exit(supervisor.supervise())
"""


@contextmanager
def outside(
    folder: Path, *lines: str, terminal: str = "", kind: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a supervisor in a process of its own; give it and the file that it writes to."""
    procfile, said = folder / "Procfile", folder / "said"
    procfile.write_text("\n".join(lines))
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(procfile), terminal, kind],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process, said
    finally:
        process.terminate()
        process.wait(60)


def ended(command: str, *lives: float) -> list[list[str]]:
    """Start a command again and again, as if it lived so long; return what is said of each end."""
    process, said = Process(ProcessType("web", command), "web.1"), []
    for seconds in lives:
        process.start(os.environ, Nursery())
        wait_until(process.has_ended)
        process.close()
        process._born -= seconds
        said.append(process.plan_restart())
    return said


def waits(said: list[list[str]]) -> list[str]:
    """Return the seconds until the next starts."""
    return [one[0].rpartition(" in ")[2] for one in said]


def test_a_release_that_was_killed_did_not_succeed() -> None:
    supervisor = Supervisor(
        [ProcessType("release", "sh -c 'kill -9 $$'")],
        formation={}, environment=lambda _: os.environ, output=io.StringIO(), colour=False,
    )  # fmt: skip

    assert supervisor.run_once("release") == 128 + signal.SIGKILL


def test_a_stop_during_the_release_starts_nothing(tmp_path: Path) -> None:
    lines = ("release: sh -c 'kill -TERM $PPID; exec sleep 60'", "web: sleep 60")
    with outside(tmp_path, *lines) as (process, said):
        code = process.wait(60)

    assert code == 0
    assert f"release gave {128 + signal.SIGTERM}\nstarted []" in said.read_text()


def test_what_waits_to_be_started_again_is_not_when_all_are_stopped() -> None:
    output = io.StringIO()
    supervisor = Supervisor(
        [ProcessType("web", "sh -c 'echo run; exit 1'")],
        formation={}, environment=lambda _: os.environ, output=output, colour=False,
    )  # fmt: skip
    seen = []

    def tick() -> None:
        if not seen and "again in 0.8 s" in output.getvalue():
            seen.append(output.getvalue())
            supervisor.stop()

    supervisor.start()
    supervisor.supervise(tick)

    assert [output.getvalue()] == seen


@pytest.mark.parametrize("kind", ["", "nohup"])
def test_a_terminal_that_closes_ends_all_unless_that_was_expected(
    tmp_path: Path, kind: str
) -> None:
    master, slave = os.openpty()
    command = "sh -c 'trap \"echo rolled\" HUP; echo web $$; while :; do sleep 0.05; done'"
    with outside(
        tmp_path, "release: true", f"web: {command}", terminal=os.ttyname(slave), kind=kind
    ) as (process, said):
        wait_until(lambda: "| web " in said.read_text())
        os.close(slave)
        os.close(master)
        if kind:
            wait_until(lambda: "rolled" in said.read_text())
            assert process.poll() is None
        else:
            assert process.wait(60) == 0
        web = re.search(r"\| web (\d+)", said.read_text())

    assert web
    wait_until(lambda: is_gone(int(web[1])))
    assert ("rolled" in said.read_text()) == bool(kind)


def test_what_crashes_at_once_is_never_said_to_refuse_its_configuration() -> None:
    said = ended("sh -c 'exit 1'", *[0] * 8)

    assert [len(one) for one in said] == [1] * 8
    assert waits(said) == ["0.2 s", "0.4 s", "0.8 s", "1.6 s", "3.2 s", "6.4 s", "10 s", "10 s"]


@pytest.mark.parametrize("code", [2, os.EX_CONFIG])
def test_a_wrong_command_line_is_a_wrong_configuration_and_said_once(code: int) -> None:
    said = ended(f"sh -c 'exit {code}'", *[0] * 7)

    assert [len(one) for one in said] == [1, 1, 1, 1, 2, 1, 1]
    assert waits(said)[4:] == ["10 s"] * 3


def test_what_lived_long_is_started_again_soon() -> None:
    said = ended("true", 0, 0, 0, 31, 0)

    assert waits(said) == ["0.2 s", "0.4 s", "0.8 s", "0.2 s", "0.4 s"]


class Disk(io.StringIO):
    """An output that breaks as it is told."""

    error = 0

    def write(self, text: str) -> int:
        """Write, unless it is broken."""
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return super().write(text)


@pytest.mark.parametrize(("error", "after"), [(errno.ENOSPC, "ops | two\n"), (errno.EPIPE, "")])
def test_a_disk_that_has_room_again_is_written_to_and_a_closed_pipe_is_not(
    error: int, after: str
) -> None:
    disk = Disk()
    printer = Printer(disk, labels=[], colour=False)

    disk.error = error
    printer.say("one")
    disk.error = 0
    printer.say("two")

    assert disk.getvalue() == after


def test_lines_come_at_once_though_they_go_through_a_pipe() -> None:
    output, begun = io.StringIO(), time.monotonic()
    supervisor = Supervisor(
        [ProcessType("web", f"{sys.executable} -c 'import time; print(7); time.sleep(60)'")],
        formation={}, environment=lambda _: os.environ, output=output, colour=False,
    )  # fmt: skip

    def tick() -> None:
        if output.getvalue() or time.monotonic() - begun > 30:
            supervisor.stop()

    supervisor.start()
    supervisor.supervise(tick)

    assert output.getvalue() == "web.1 | 7\n"
