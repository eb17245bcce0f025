"""python -m workers --queues emails: one process doing the jobs of its queues."""

import argparse
import sys

from ops.start import run_process
from storage.jobs import queues
from workers.serve import serve

_THREADS = 4


def main() -> int:
    """Work until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--queues", nargs="+", choices=queues(), default=queues())
    parser.add_argument("--threads", type=int, default=_THREADS, help=f"jobs at once ({_THREADS})")
    args = parser.parse_args()
    return run_process(
        "-".join(args.queues),
        lambda settings, name: serve(settings, queues=args.queues, threads=args.threads, name=name),
    )


if __name__ == "__main__":
    sys.exit(main())
