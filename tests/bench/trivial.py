"""python -m tests.bench.trivial: a worker process as production runs it, its jobs are none."""

import os
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

from ops.start import run_process
from storage.jobs import Job
from storage.outbox import Promise
from workers.actor import actor
from workers.serve import serve
from workers.toolbox import Tools


@dataclass(frozen=True, slots=True)
class Nothing(Job):
    """A job that costs nothing, so that what remains is the pipeline's own cost."""

    name: ClassVar[str] = "sessions.nothing"

    number: int


@dataclass(frozen=True, slots=True)
class Stamp(Job):
    """A job that writes down when it began, into the file that STAMPS names."""

    name: ClassVar[str] = "sessions.stamp"

    number: int


@actor(Nothing)
async def nothing(job: Nothing, _: Promise, __: Tools) -> None:
    """Read its facts."""
    _number = job.number + 1


@actor(Stamp)
async def stamp(job: Stamp, _: Promise, __: Tools) -> None:
    """Add a line of number and time."""
    line = f"{job.number} {time.time()}\n"
    stamps = os.open(os.environ["STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(stamps, line.encode())
    os.close(stamps)


def main() -> int:
    """Work until told to stop; the argument is how many jobs at once."""
    return run_process(
        "bench",
        lambda settings, name: serve(
            settings, queues=["sessions"], threads=int(sys.argv[1]), name=name
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
