"""Forked processes: like interpreters of their own in all that others see."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.ops.stacks import ROOT, is_gone, wait_until

# What a process of ours is: a module with a `main`.
TRIAL = """
import json, os, signal, sys, threading, time

def main():
    what = sys.argv[1]
    if what == "facts":
        nowhere = os.stat(os.devnull).st_rdev
        print(json.dumps({
            "arguments": sys.argv[1:], "name": os.environ["OSTIARY_PROCESS"],
            "inherited": os.environ.get("ONLY_OF_THE_PARENT"), "leads": os.getsid(0) == os.getpid(),
            "parent": os.getppid(), "reads": sys.stdin.read(),
            "open": [number for number in range(3, 200) if is_open(number, nowhere)],
        }))
    if what == "ends":
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread done"))).start()
        sys.exit("no such luck")
    if what == "fails":
        raise RuntimeError("out of luck")
    print("lives", os.getpid())
    time.sleep(60)

def is_open(number, nowhere):
    try:
        return os.fstat(number).st_rdev != nowhere
    except OSError:
        return False

if __name__ == "__main__":
    sys.exit(main())
"""

RUN = """
import os, sys, threading, time
from pathlib import Path
from ops.nursery import Nursery
from ops.procfile import Supervisor, read
nursery = Nursery()
nursery.prepare("trial", "nowhere_to_be_found")
if sys.argv[2] == "threads":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
os.environ["ONLY_OF_THE_PARENT"] = "yes"
environment = {k: v for k, v in os.environ.items() if k != "ONLY_OF_THE_PARENT"}
lock = os.open("lock", os.O_CREAT | os.O_RDWR)
supervisor = Supervisor(read(Path(sys.argv[1])), formation={}, environment=lambda _: environment,
                        output=sys.stdout, colour=False, nursery=nursery)
supervisor.start()
sys.exit(supervisor.supervise())
"""


class Nest:
    """A supervisor with a nursery, in a process of its own."""

    def __init__(self, folder: Path, *lines: str, kind: str = "alone") -> None:
        """Start it on a Procfile of these lines."""
        (folder / "trial.py").write_text(TRIAL)
        (folder / "Procfile").write_text("\n".join(lines))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(folder / "Procfile"), kind],
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PATH": path},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def await_line(self, pattern: str) -> str:
        """Wait until the pattern is in the output, and return its first group."""
        wait_until(lambda: bool(re.search(pattern, self.output.read_text())))
        found = re.search(pattern, self.output.read_text())
        assert found is not None
        return found[1] if found.groups() else found[0]


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Callable[..., Nest]]:
    """Run supervisors with a nursery; each is stopped at the end."""
    nests: list[Nest] = []

    def run(*lines: str, **changes: str) -> Nest:
        nests.append(Nest(tmp_path, *lines, **changes))
        return nests[-1]

    yield run
    for one in nests:
        one.process.terminate()
        one.process.wait(60)


def words(pid: int) -> list[str]:
    """Return the words of a command line, as ps shows it."""
    return " ".join(psutil.Process(pid).cmdline()).split()


def test_a_forked_process_has_what_it_was_given_and_nothing_of_its_parent(
    nest: Callable[..., Nest],
) -> None:
    run = nest("one: python -m trial live", "two: python -m trial facts --of me")

    facts: dict[str, Any] = json.loads(run.await_line(r"two\.1 \| (\{.*)"))

    assert facts == {
        "arguments": ["facts", "--of", "me"],
        "name": "two.1",
        "inherited": None,
        "leads": True,
        "parent": run.process.pid,
        "reads": "",
        "open": [],
    }


def test_a_forked_process_is_seen_by_its_command_and_comes_back_when_it_is_killed(
    nest: Callable[..., Nest],
) -> None:
    run = nest("one: python -m trial live")
    pid = int(run.await_line(r"lives (\d+)"))
    seen = words(pid)

    os.kill(pid, signal.SIGKILL)
    run.await_line("was killed by SIGKILL, starting again")

    assert seen == ["python", "-m", "trial", "live"]
    wait_until(lambda: run.output.read_text().count("lives") == 2)
    assert run.process.poll() is None


def test_a_forked_process_ends_like_an_interpreter(nest: Callable[..., Nest]) -> None:
    run = nest("one: python -m trial ends", "two: python -m trial fails")

    run.await_line(r"one\.1 ended with status 1")
    run.await_line(r"two\.1 ended with status 1")

    said = run.output.read_text()
    assert "one.1 | no such luck" in said
    assert said.index("thread done") < said.index("one.1 ended")
    assert "two.1 | RuntimeError: out of luck" in said


def test_signals_reach_a_forked_process_and_a_killed_parent_takes_it_along(
    nest: Callable[..., Nest],
) -> None:
    run = nest("one: python -m trial live")
    first = int(run.await_line(r"lives (\d+)"))

    os.kill(first, signal.SIGTERM)
    run.await_line("was killed by SIGTERM")
    wait_until(lambda: run.output.read_text().count("lives") == 2)
    second = int(run.output.read_text().rpartition("lives ")[2].split()[0])
    run.process.kill()
    run.process.wait()

    wait_until(lambda: is_gone(second))
    assert is_gone(first)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("python -m trial live", "threads"),
        ("NAME=x python -m trial live", "alone"),
    ],
)
def test_where_a_fork_is_not_safe_or_not_possible_an_interpreter_does_the_same(
    nest: Callable[..., Nest], command: str, kind: str
) -> None:
    run = nest(f"one: {command}", kind=kind)

    pid = int(run.await_line(r"lives (\d+)"))

    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"OSTIARY_PROCESS=one.1" in environment  # the kernel saw an exec with it
    assert words(pid)[-3:] == ["-m", "trial", "live"]


def test_a_module_that_cannot_be_imported_is_said_by_its_process(nest: Callable[..., Nest]) -> None:
    run = nest("one: python -m nowhere_to_be_found")

    run.await_line(r"one\.1 \| .*No module named nowhere_to_be_found")

    assert run.process.poll() is None
