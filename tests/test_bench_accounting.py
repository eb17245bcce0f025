"""What process trees spend and weigh, as `make bench` reads it."""

import os
import signal
import subprocess
import sys
import time

from tests.bench.accounting import cpu_seconds, memory, tree

# Half a CPU second in a child of a child, which then waits.
_BURNING = """
import subprocess, sys, time
code = "import time\\nwhile time.process_time() < 0.3: pass\\nprint(1, flush=True)\\ntime.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code])
child.wait()
"""
# The same in a child that is gone before anybody looks.
_BURNT = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
print(1, flush=True)
time.sleep(60)
"""


def _run(code: str) -> "subprocess.Popen[str]":
    # A session of its own: whatever the code under test sees of it, all of it can be ended.
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == "1\n"
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_what_a_grandchild_spends_counts_as_its_tree_s() -> None:
    process = _run(_BURNING)

    spent = cpu_seconds([process.pid])
    processes = memory([process.pid]).processes
    _end(process)

    assert 0.3 <= spent < 2.0
    assert processes == 2


def test_what_a_child_that_ended_has_spent_counts_too() -> None:
    process = _run(_BURNT)

    spent = cpu_seconds([process.pid])
    _end(process)

    assert 0.3 <= spent < 2.0


def test_what_a_stranger_spends_does_not_count() -> None:
    process = _run(_BURNING)
    idle = _run("print(1, flush=True)\nimport time\ntime.sleep(60)")

    spent = cpu_seconds([idle.pid])
    _end(process)
    _end(idle)

    assert spent < 0.25


def test_the_largest_process_of_a_tree_is_not_the_sum_of_it() -> None:
    process = _run(_BURNING)

    seen = memory([process.pid])
    child = memory(tree([process.pid]) - {process.pid})
    _end(process)

    assert child.largest / 2 < seen.largest < child.largest * 1.5
    assert child.pss < seen.pss


def test_time_is_told_apart_from_cpu_time() -> None:
    process = _run("print(1, flush=True)\nimport time\ntime.sleep(60)")

    before = cpu_seconds([process.pid])
    time.sleep(0.2)
    after = cpu_seconds([process.pid])
    _end(process)

    assert after - before <= 0.1
