"""python -m tests.bench.trivial: a worker process as production runs it, its job does nothing."""

import sys
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


@actor(Nothing)
async def nothing(job: Nothing, _: Promise, __: Tools) -> None:
    """Read its facts."""
    _number = job.number + 1


def main() -> int:
    """Work until told to stop."""
    threads = int(sys.argv[1]) if sys.argv[1:] else 4
    return run_process(
        "bench",
        lambda settings, name: serve(settings, queues=["sessions"], threads=threads, name=name),
    )


if __name__ == "__main__":
    sys.exit(main())
