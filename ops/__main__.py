"""python -m ops: up runs everything, watch also what watches it, doctor examines it.

`capacity` says what so many people need.
"""

import argparse
import sys

from ops.capacity import command as capacity_command
from ops.doctor import doctor
from ops.settings import SettingsInvalid
from ops.settings.example import example
from ops.settings.keys import new_keys
from ops.start import EX_CONFIG
from ops.up import CannotStart, up
from ops.watch import watchers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up_ = commands.add_parser("up", help="start the servers and every process of the Procfile")
    up_.add_argument("formation", nargs="*", help="how many of each, such as web=2 emails=3")
    up_.add_argument("--reload", action="store_true", help="restart when a file changes")
    watch = commands.add_parser("watch", help="the same with Prometheus, alerts and exporters")
    watch.add_argument("formation", nargs="*", help="how many of each, such as web=2 emails=3")
    doctor_ = commands.add_parser("doctor", help="look at everything, say what is wrong")
    doctor_.add_argument("--json", action="store_true")
    capacity_command.add_parser(commands)
    commands.add_parser("env", help="print .env.example")
    commands.add_parser("key", help="print new secrets for .env")
    return parser


def main() -> int:
    """Run one command; exit 0 on success, 1 on failure, 2 on wrong usage, 78 on wrong settings."""
    try:
        return _run(_parser().parse_args())
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    if args.command == "up":
        return up(args.formation, reload=args.reload)
    if args.command == "watch":
        return up(args.formation, invite=watchers)
    if args.command == "doctor":
        return doctor(as_json=args.json)
    if args.command == "capacity":
        return capacity_command.capacity(args)
    print(example() if args.command == "env" else new_keys(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
