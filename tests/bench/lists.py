"""What lists of a million users cost, of the repository and over HTTP."""

import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable

from ops.metrics import Metrics
from ops.settings import load
from storage.database import Database
from storage.seed.run import Wish, seed
from tests.bench import report
from tests.bench.cases import all_cases
from tests.bench.measure import asking_health, measured, of_repository, over_http, pinging
from tests.timing import server

_SEEDERS = ("people", "users", "teams")


def _told(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def lists(chosen: Namespace) -> str:
    """Measure every order, depth, filter and search; needs about 3 GB of disk for a while."""
    load_then = os.getloadavg()[0]
    password = f"Bench-{secrets.token_urlsafe(12)}-9"
    with server.stack() as environ:
        settings = load(environ)
        async with server.owning(environ) as owner:
            _told(f"seeding {chosen.users:,} users")
            wish = Wish(names=_SEEDERS, users=chosen.users, password=password)
            await seed(settings, wish, _quiet)
            cases = await all_cases(owner)
            database = await Database.open(
                settings.database_url, keys=settings.keyring, metrics=Metrics(), name="bench"
            )
            floor = await measured(
                cases,
                of_repository(database),
                chosen.rounds,
                _progress("repository"),
                control=pinging(database),
            )
            await database.close()
            changes = {"rate_limit_authenticated": "off"}
            async with server.web_process(environ, **changes) as client:
                body = {"email": "admin@example.com", "password": password}
                async with client.post("/api/v1/auth/login", json=body) as answer:
                    token = (await answer.json())["accessToken"]
                ask = over_http(client, {"Authorization": f"Bearer {token}"}, settings.keyring)
                http = await measured(
                    cases, ask, chosen.rounds, _progress("HTTP"), control=asking_health(client)
                )
            version = await owner.fetchval("SHOW server_version")
    return report.lists(
        cases=cases,
        floor=floor,
        http=http,
        users=chosen.users,
        rounds=chosen.rounds,
        server=f"PostgreSQL {version}",
        load=load_then,
    )


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Say nothing: the seeder is not what is measured."""


def _progress(name: str) -> Callable[[int], None]:
    def tell(number: int) -> None:
        if number % 20 == 0:
            _told(f"{name}: round {number}")

    return tell
