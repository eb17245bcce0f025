"""The Procfile's processes: real ones, under a supervisor here or in a process of its own."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ops.procfile import ProcessType, ProcfileError, Supervisor, parse_formation, read
from tests.ops.stacks import is_gone, wait_until

ROOT = Path(__file__).parents[2]
# As `ops up` has it: whoever waits for it to be over takes longer.
_GRACE = 8.0
TYPES = [
    ProcessType("release", "true"),
    ProcessType("web", "sleep 60"),
    ProcessType("emails", "sleep 60"),
]
STUBBORN = (
    """python3 -c 'import signal, time; signal.signal(15, 1); print("deaf"); time.sleep(60)'"""
)

RUN = """
import os, sys
from pathlib import Path
from ops.procfile import Supervisor, read
supervisor = Supervisor(read(Path(sys.argv[1])), formation={}, environment=lambda _: os.environ,
                        output=sys.stdout, colour=False, grace=float(sys.argv[2]))
supervisor.start()
sys.exit(supervisor.supervise())
"""


class Outside:
    """A supervisor in a process of its own, to be signalled."""

    def __init__(self, folder: Path, *lines: str, grace: float = _GRACE) -> None:
        """Start it on a Procfile of these lines."""
        self.folder = folder
        (folder / "Procfile").write_text("\n".join(lines))
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(folder / "Procfile"), str(grace)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )

    def await_line(self, pattern: str) -> str:
        """Wait until the pattern is in the output, and return its first group."""
        wait_until(lambda: bool(re.search(pattern, self.output.read_text())))
        found = re.search(pattern, self.output.read_text())
        assert found is not None
        return found[1] if found.groups() else found[0]

    def end(self, *signals: signal.Signals) -> float:
        """Send the signals and return how long it took to end."""
        begun = time.monotonic()
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.2 if len(signals) > 1 else 0)
        self.process.wait(timeout=60)
        return time.monotonic() - begun


def _supervisor(
    *types: ProcessType,
    output: io.StringIO,
    formation: Mapping[str, int] | None = None,
    colour: bool = False,
) -> Supervisor:
    return Supervisor(
        types,
        formation=formation or {},
        environment=lambda name: {**os.environ, "NAME": name},
        output=output,
        colour=colour,
    )


def _run(
    *types: ProcessType, until: Callable[[str], bool], formation: Mapping[str, int] | None = None
) -> str:
    """Supervise the types until the output is as wanted, then stop; return the output."""
    output, begun = io.StringIO(), time.monotonic()
    supervisor = _supervisor(*types, output=output, formation=formation)

    def tick() -> None:
        if until(output.getvalue()) or time.monotonic() - begun > 30:
            supervisor.stop()

    supervisor.start()
    code = supervisor.supervise(tick)
    assert code == 0
    assert until(output.getvalue()), output.getvalue()
    return output.getvalue()


def test_a_procfile_is_read_with_comments_and_colons_in_commands(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("# processes\n\nrelease: python -m storage migrate\nweb:  serve --at a:1\n")

    types = read(file)

    assert types == [
        ProcessType("release", "python -m storage migrate"),
        ProcessType("web", "serve --at a:1"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("web: run\nnonsense\n", "line 2.*name: command"),
        ("web:\n", "line 1"),
        ("web: a\nweb: b", "line 2.*twice"),
    ],
)
def test_a_bad_procfile_line_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "Procfile").write_text(text)

    with pytest.raises(ProcfileError, match=complaint):
        read(tmp_path / "Procfile")
    with pytest.raises(ProcfileError, match="cannot be read"):
        read(tmp_path / "nothing")


def test_a_formation_is_parsed() -> None:
    assert parse_formation(["web=2", "emails=0"], TYPES) == {"web": 2, "emails": 0}
    assert parse_formation([], TYPES) == {}


@pytest.mark.parametrize("spec", ["wep=2", "release=1", "web=two", "web", "web=-1"])
def test_a_wrong_formation_is_refused_and_what_is_known_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match=r"known are web, emails|write it like `web=2`"):
        parse_formation([spec], TYPES)


def test_output_is_prefixed_whole_and_survives_what_is_no_text() -> None:
    command = r"""printf 'one\ntwo \377\r\n%200000s\nno end'"""
    output = io.StringIO()

    _supervisor(ProcessType("release", command), output=output).run_once("release")

    lines = output.getvalue().splitlines()
    assert lines[:2] == ["release | one", "release | two \ufffd"]
    assert sum(len(line.removeprefix("release | ")) for line in lines[2:-1]) == 200_000
    assert lines[-1] == "release | no end"


def test_prefixes_are_coloured_for_a_terminal_only() -> None:
    types = [ProcessType("release", "echo done")]
    coloured, plain = io.StringIO(), io.StringIO()

    for output in (coloured, plain):
        supervisor = _supervisor(*types, output=output, colour=output is coloured)
        supervisor.run_once("release")

    assert plain.getvalue() == "release | done\n"
    assert re.fullmatch(r"\x1b\[\d+mrelease \|\x1b\[0m done\n", coloured.getvalue())


def test_the_formation_and_the_environment_reach_every_process() -> None:
    types = [ProcessType(name, "sh -c 'echo $NAME $OSTIARY_PROCESS; sleep 60'") for name in "ab"]

    said = _run(*types, formation={"a": 2, "b": 0}, until=lambda text: text.count("\n") >= 2)

    assert sorted(said.splitlines()) == ["a.1 | a a.1", "a.2 | a a.2"]


def test_an_assignment_in_front_of_a_command_works() -> None:
    said = _run(ProcessType("a", "X=1 sh -c 'echo $X; sleep 60'"), until=lambda text: "1" in text)

    assert said == "a.1 | 1\n"


def test_release_runs_once_and_its_exit_code_is_returned() -> None:
    output = io.StringIO()
    types = [ProcessType("release", "sh -c 'echo once; exit 3'"), ProcessType("web", "echo never")]
    supervisor = _supervisor(*types, output=output)

    code = supervisor.run_once("release")

    assert code == 3
    assert output.getvalue() == "release | once\n"


def test_a_process_that_ends_is_started_again_after_longer_and_longer_waits() -> None:
    said = _run(ProcessType("web", "sh -c 'kill -9 $$'"), until=lambda text: "0.8 s" in text)

    waits = re.findall(r"web\.1 was killed by SIGKILL, starting again in ([\d.]+) s", said)
    assert waits[:3] == ["0.2", "0.4", "0.8"]


def test_a_process_that_refuses_its_configuration_gets_one_line_with_the_cure() -> None:
    said = _run(ProcessType("web", "sh -c 'exit 78'"), until=lambda text: "refuses" in text)

    assert said.count("web.1 ended with status 78") == 5
    assert said.count("correct what its lines above name") == 1
    assert "starting again in 10 s" in said


def test_what_a_dead_process_left_of_its_group_is_killed_before_it_starts_again() -> None:
    command = "sh -c 'sleep 60 & echo child $!; exec sh -c \"exit 1\"'"

    said = _run(ProcessType("web", command), until=lambda text: text.count("child") >= 2)

    children = [int(pid) for pid in re.findall(r"child (\d+)", said)]
    wait_until(lambda: all(map(is_gone, children)))


def test_sigterm_ends_processes_and_grandchildren(tmp_path: Path) -> None:
    outside = Outside(tmp_path, "web: sh -c 'sleep 60 & echo child $!; wait'", "b: sleep 60")
    grandchild = int(outside.await_line(r"child (\d+)"))

    seconds = outside.end(signal.SIGTERM)

    assert outside.process.returncode == 0
    wait_until(lambda: is_gone(grandchild))
    assert seconds < _GRACE


def test_a_process_deaf_to_sigterm_is_killed_when_the_grace_is_over(tmp_path: Path) -> None:
    outside = Outside(tmp_path, f"web: {STUBBORN}", grace=0.5)
    outside.await_line("deaf")

    seconds = outside.end(signal.SIGTERM)

    assert outside.process.returncode == 1
    assert 0.4 < seconds < _GRACE
    assert "web.1 did not end in time: killed" in outside.output.read_text()


def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    outside = Outside(tmp_path, f"web: {STUBBORN}")
    outside.await_line("deaf")

    seconds = outside.end(signal.SIGINT, signal.SIGINT)

    assert outside.process.returncode == 1
    assert seconds < _GRACE


def test_the_longest_stop_stays_below_ten_seconds(tmp_path: Path) -> None:
    outside = Outside(tmp_path, f"web: {STUBBORN}")
    outside.await_line("deaf")

    seconds = outside.end(signal.SIGTERM)

    assert 7 < seconds < 10


def test_sighup_is_passed_to_web_alone(tmp_path: Path) -> None:
    command = "sh -c 'trap \"echo rolled\" HUP; echo ready; while :; do sleep 0.05; done'"
    outside = Outside(tmp_path, f"web: {command}", f"emails: {command}")
    outside.await_line(r"web\.1 +\| ready")
    outside.await_line(r"emails\.1 +\| ready")

    outside.process.send_signal(signal.SIGHUP)
    outside.await_line(r"web\.1 +\| rolled")
    outside.end(signal.SIGTERM)

    assert "emails.1 | rolled" not in outside.output.read_text()


def test_a_killed_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    outside = Outside(tmp_path, "web: sh -c 'echo leader $$; exec sleep 60'")
    leader = int(outside.await_line(r"leader (\d+)"))

    outside.end(signal.SIGKILL)

    wait_until(lambda: is_gone(leader))


def test_stopping_without_having_supervised_leaves_no_process_and_signals_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    supervisor = _supervisor(*TYPES, output=io.StringIO())

    supervisor.start()
    pids = supervisor.pids
    supervisor.stop()
    supervisor.stop()

    assert sorted(pids) == ["emails.1", "web.1"]
    assert all(map(is_gone, pids.values()))
    assert signal.getsignal(signal.SIGTERM) is before
