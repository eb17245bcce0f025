"""`make bench`: what lists of a million users cost, of the repository and over HTTP.

Runs servers of its own in a folder that goes, so it needs about 3 GB of disk for a while.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from ops.metrics import Metrics
from ops.settings import load
from storage.database import Database
from storage.seed.run import Wish, seed
from tests.bench import report
from tests.bench.cases import all_cases
from tests.bench.measure import measured, of_repository, over_http
from tests.timing import server

_DOCUMENT = Path(__file__).parents[2] / "docs" / "BENCHMARKS.md"
_SEEDERS = ("people", "users", "teams")


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _run(users: int, rounds: int) -> str:
    load_then = os.getloadavg()[0]
    password = f"Bench-{secrets.token_urlsafe(12)}-9"
    with server.stack() as environ:
        settings = load(environ)
        async with server.owning(environ) as owner:
            _told(f"seeding {users:,} users")
            await seed(settings, Wish(names=_SEEDERS, users=users, password=password), _quiet)
            cases = await all_cases(owner)
            database = await Database.open(
                settings.database_url, keys=settings.keyring, metrics=Metrics(), name="bench"
            )
            floor = await measured(cases, of_repository(database), rounds, _progress("repository"))
            await database.close()
            changes = {"rate_limit_authenticated": "off"}
            async with server.web_process(environ, **changes) as client:
                body = {"email": "admin@example.com", "password": password}
                async with client.post("/api/v1/auth/login", json=body) as answer:
                    token = (await answer.json())["accessToken"]
                ask = over_http(client, {"Authorization": f"Bearer {token}"}, settings.keyring)
                http = await measured(cases, ask, rounds, _progress("HTTP"))
            version = await owner.fetchval("SHOW server_version")
    text = report.document(
        cases=cases,
        floor=floor,
        http=http,
        users=users,
        rounds=rounds,
        server=f"PostgreSQL {version}",
        load=load_then,
    )
    _DOCUMENT.write_text(text)
    return text


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Say nothing: the seeder is not what is measured."""


def _progress(name: str) -> Callable[[int], None]:
    def tell(number: int) -> None:
        if number % 20 == 0:
            _told(f"{name}: round {number}")

    return tell


def main() -> int:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users (1,000,000)")
    parser.add_argument("--rounds", type=int, default=120, help="calls of each case (120)")
    chosen = parser.parse_args()
    print(asyncio.run(_run(chosen.users, chosen.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
