"""`python -m storage seed`: what it takes, what it prints."""

import json
import os
import sys
import time
from typing import Any

from ops.settings import Settings
from storage.seed.run import SEEDERS, Outcome, Wish, seed

_BAR = 30
_EVERY_SECONDS = 0.2
_TENTH = 10


def add_parser(commands: Any) -> None:
    """Add `seed` to the commands of the program."""
    about = "; ".join(f"{name}: {seeder.help}" for name, seeder in SEEDERS.items())
    parser = commands.add_parser(
        "seed",
        help="add rows that every installation needs, or made-up people to develop with",
        description=f"{about}. Unless named: all but users; in production only essentials."
        " SEED_PASSWORD in the environment is the password of all of them; without it one is made"
        " for `people` and printed once, and `users` cannot sign in.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SEEDERS))
    parser.add_argument("--users", type=int, help="how many made-up people there shall be")
    parser.add_argument("--refresh", action="store_true", help="remove what was seeded, first")
    parser.add_argument("--json", action="store_true")


async def run(settings: Settings, args: Any) -> str:
    """Do it; return what to print. Raises SeedError, DatabaseAway, NotMigrated."""
    wish = Wish(
        names=args.names,
        users=args.users,
        refresh=args.refresh,
        password=os.environ.get("SEED_PASSWORD", ""),
    )
    outcome = await seed(settings, wish, _Progress().tell)
    if args.json:
        facts = {"added": outcome.added, "removed": outcome.removed, "notes": outcome.told}
        return json.dumps(facts | {"password": outcome.password})
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> list[str]:
    lines = list(outcome.told)
    for name, count in outcome.added.items():
        gone = outcome.removed.get(name, 0)
        removed = f"{gone:,} removed, " if gone else ""
        lines.append(f"{name}: {removed}{f'{count:,} added' if count else 'nothing was missing'}")
    if outcome.password:
        lines.append(f"password of the people, shown only now: {outcome.password}")
    return lines


class _Progress:
    """Tells how far it is: a bar on a terminal, else a line for each tenth; on standard error."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told_at = 0.0
        self._tenths: dict[str, int] = {}

    def tell(self, what: str, done: int, total: int) -> None:
        """Tell that so many are done."""
        if self._terminal:
            self._draw(what, done, total)
        elif total > 1 and self._is_new_tenth(what, done, total):
            sys.stderr.write(f"{what}: {done:,} of {total:,}\n")

    def _draw(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and total > 1 and now - self._told_at < _EVERY_SECONDS:
            return
        self._told_at = now
        filled = _BAR * done // total
        bar = "#" * filled + "." * (_BAR - filled)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{what:<10} [{bar}] {done:,} of {total:,}\x1b[K{end}")
        sys.stderr.flush()

    def _is_new_tenth(self, what: str, done: int, total: int) -> bool:
        tenth = _TENTH * done // total
        if tenth == self._tenths.get(what, 0):
            return False
        self._tenths[what] = tenth
        return True
