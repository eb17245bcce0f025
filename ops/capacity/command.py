"""`python -m ops capacity`: reads what is asked, prints the page."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ops.capacity.demand import Demand, DemandInvalid
from ops.capacity.model import plan
from ops.capacity.report import report
from ops.procfile import read
from ops.settings import load

_PROCFILE = Path(__file__).parents[2] / "Procfile"
_EX_USAGE = 2


def add_parser(commands: Any) -> None:
    """Add `capacity` to the commands of the program."""
    parser = commands.add_parser("capacity", help="say what so many people need, and what is next")
    parser.add_argument("--users", type=int, required=True, help="people with an account")
    parser.add_argument("--logins-per-day", type=int, required=True)
    parser.add_argument("--letters-per-day", type=int, required=True)
    parser.add_argument(
        "--requests-per-second", type=float, help="in the busiest hour; 40 a sign-in unless said"
    )
    parser.add_argument(
        "--peak-factor", type=float, default=10, help="the busiest hour against the average (10)"
    )
    parser.add_argument(
        "--core-speed", type=float, default=1, help="2 for cores twice as fast as the measured (1)"
    )
    parser.add_argument(
        "--cores", type=int, default=os.cpu_count() or 1, help="of the machine (those of this one)"
    )


def capacity(args: argparse.Namespace) -> int:
    """Print what is needed under the settings here; exit 2 for a demand that cannot be."""
    try:
        demand = Demand(
            users=args.users,
            logins_per_day=args.logins_per_day,
            letters_per_day=args.letters_per_day,
            requests_per_second=args.requests_per_second,
            peak_factor=args.peak_factor,
            core_speed=args.core_speed,
            machine_cores=args.cores,
        )
    except DemandInvalid as error:
        sys.stderr.write(f"{error}\n")
        return _EX_USAGE
    found = plan(demand, load(strict=False), procfile=read(_PROCFILE))
    sys.stdout.write(report(demand, found))
    return 0
