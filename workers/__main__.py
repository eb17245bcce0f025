"""python -m workers --queues emails: one process doing the jobs of its queues.

`python -m workers status` and `python -m workers jobs` show and manage what there is to do.
"""

import argparse
import asyncio
import sys

from ops.errors import Problem
from ops.settings import SettingsInvalid
from ops.start import EX_CONFIG, run_process, settings_for_process
from storage.jobs import queues
from workers import desk, status
from workers.serve import serve

# They share one event loop: what comes together is claimed, and settled, together.
_THREADS = 16
_COMMANDS = ("status", "jobs")


def main() -> int:
    """Work until told to stop, or run one command."""
    if sys.argv[1:2] and sys.argv[1] in _COMMANDS:
        return _command()
    parser = argparse.ArgumentParser(
        prog="python -m workers", description=__doc__, epilog="commands: status, jobs (see --help)"
    )
    parser.add_argument("--queues", nargs="+", choices=queues(), default=queues())
    parser.add_argument("--threads", type=int, default=_THREADS, help=f"jobs at once ({_THREADS})")
    args = parser.parse_args()
    return run_process(
        "-".join(args.queues),
        lambda settings, name: serve(settings, queues=args.queues, threads=args.threads, name=name),
    )


def _command() -> int:
    """Run one command; exit 0 on success, 1 on failure, 78 on wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m workers")
    commands = parser.add_subparsers(dest="command", required=True)
    status_ = commands.add_parser(
        "status", help="queues and processes; exit 1 when something is wrong"
    )
    status_.add_argument("--json", action="store_true")
    status_.add_argument("--watch", action="store_true", help="again every 2 seconds")
    desk.add_parser(commands)
    args = parser.parse_args()
    run = status.run if args.command == "status" else desk.run
    try:
        return asyncio.run(run(settings_for_process(), args))
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    except Problem as problem:
        print(problem.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
