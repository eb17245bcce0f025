"""A migrated database in a home, made once for all tests of a run and copied into their homes."""

import asyncio
import fcntl
import json
import subprocess
from pathlib import Path

import asyncpg

from ops.settings import load
from ops.stack import Addresses, Stack
from storage.migrate import Migrator
from tests.ops.stacks import FAST, open_room

# What `CREATE DATABASE ... TEMPLATE` copies, in every home that was furnished.
TEMPLATE = "furnished"
_KEPT = ("postgres", "passwords.json")
# Nothing is written that would only be copied.
_SMALL = {**FAST, "wal_init_zero": "off", "wal_recycle": "off"}


def furniture_in(folder: Path) -> Path:
    """Return the folder to copy from; the first process of a run makes it, the others wait."""
    made = folder / "furniture"
    with (folder / "furniture.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with open_room() as room:
                _make(room / "home")
                _copy(room / "home", made)
    return made


def furnished(home: Path, furniture: Path) -> Path:
    """Return a new home in which a migrated database lies, whose servers are to be started."""
    _copy(furniture, home)
    return home


def _make(home: Path) -> None:
    stack = Stack(home, redis=False, settings=_SMALL)
    addresses = stack.start()
    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(_fill(addresses, home))
    finally:
        stack.stop()


async def _fill(addresses: Addresses, home: Path) -> None:
    names = ("database_url", "worker_database_url", "migration_database_url")
    settings = load({name.upper(): str(getattr(addresses, name)) for name in names}, strict=False)
    async with Migrator.connect(settings) as migrator:
        await migrator.up()
        await migrator.grant(settings)
    superuser = await asyncpg.connect(
        addresses.migration_database_url,
        user="postgres",
        password=json.loads((home / "passwords.json").read_text())["postgres"],
        database="postgres",
    )
    await superuser.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE ostiary")
    await superuser.close()


def _copy(source: Path, target: Path) -> None:
    """Copy a home with its owners; whole, or not under this name."""
    draft = target.with_name(f".{target.name}.new")
    draft.mkdir(mode=0o700)
    files = [source / name for name in _KEPT]
    subprocess.run(["cp", "-a", *files, draft], check=True)
    draft.rename(target)
