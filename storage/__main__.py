"""python -m storage: migrate, roll back, look, reset, seed, check, keys, audit."""

import argparse
import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Awaitable, Callable

from ops.errors import Problem
from ops.settings import Settings, SettingsInvalid, load
from ops.start import EX_CONFIG, stop_on_signals, until_reachable
from storage import check as checks
from storage import keys_command
from storage.key_rotation import RotationError
from storage.ledger import command as audit_command
from storage.migrate import MigrationError, Migrator, create
from storage.seed import command as seed_command
from storage.seed.parts import SeedError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m storage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="apply the migrations the database has not seen")
    rollback = commands.add_parser("rollback", help="roll the last migration back")
    rollback.add_argument("--steps", type=int, default=1, help="how many (1)")
    status = commands.add_parser("status", help="list migrations and when they were applied")
    status.add_argument("--json", action="store_true")
    create_ = commands.add_parser("create", help="write an empty migration file")
    create_.add_argument("name", help="what it does, such as add_locale_to_users")
    reset = commands.add_parser("reset", help="drop everything and begin anew")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    seed_command.add_parser(commands)
    check = commands.add_parser("check", help="look at the servers, migrations and keys")
    check.add_argument("--json", action="store_true")
    keys_command.add_parser(commands)
    audit_command.add_parser(commands)
    return parser


async def _migrate(settings: Settings, _: argparse.Namespace) -> int:
    async def migrate() -> int:
        async with Migrator.connect(settings) as migrator:
            applied = await migrator.up()
            await migrator.grant(settings)
        for item in applied:
            print(f"applied {item.version}_{item.name}")
        print(f"{len(applied)} migrations applied" if applied else "the database is up to date")
        return 0

    code = await until_reachable("PostgreSQL", migrate)
    if "HONCHO_PROCESS_NAME" in os.environ:
        # honcho takes a release line for a process like any other, and ends all when one ends.
        await stop_on_signals().wait()
    return code


async def _rollback(settings: Settings, args: argparse.Namespace) -> int:
    async with Migrator.connect(settings) as migrator:
        for item in await migrator.down(args.steps):
            print(f"rolled back {item.version}_{item.name}")
    return 0


async def _status(settings: Settings, args: argparse.Namespace) -> int:
    async with Migrator.connect(settings) as migrator:
        rows = await migrator.status()
    if args.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], default=str))
        return 0
    for row in rows:
        changed = ", changed since" if row.changed else ""
        print(f"{row.version}  {row.name:40}  {row.applied_at or 'not applied'}{changed}")
    return 0


async def _create(_: Settings, args: argparse.Namespace) -> int:
    print(create(args.name))
    return 0


async def _reset(settings: Settings, args: argparse.Namespace) -> int:
    if settings.in_production:
        print("reset is refused in production: it drops every table", file=sys.stderr)
        return 1
    if not args.yes and not _is_meant("This drops EVERYTHING in the database.", "reset"):
        print("nothing was changed")
        return 1
    async with Migrator.connect(settings) as migrator:
        await migrator.reset()
        await migrator.grant(settings)
    print("the database is new")
    return 0


def _is_meant(consequence: str, word: str) -> bool:
    try:
        return input(f"{consequence} Type {word}: ") == word
    except EOFError:  # nobody is there to be asked
        return False


async def _seed(settings: Settings, args: argparse.Namespace) -> int:
    print(await seed_command.run(settings, args))
    return 0


async def _check(settings: Settings, args: argparse.Namespace) -> int:
    findings = await checks.check(settings)
    if args.json:
        print(json.dumps([dataclasses.asdict(item) for item in findings]))
    else:
        for item in findings:
            cure = f"  -> {item.cure}" if item.cure else ""
            print(f"{'ok  ' if item.ok else 'BAD '} {item.name}: {item.seen}{cure}")
    return 0 if all(item.ok for item in findings) else 1


async def _keys(settings: Settings, args: argparse.Namespace) -> int:
    question = keys_command.question(args)
    if question and not args.yes and not _is_meant(*question):
        print("nothing was changed")
        return 1
    print(await keys_command.run(settings, args))
    return 0


async def _audit(settings: Settings, args: argparse.Namespace) -> int:
    valid, text = await audit_command.run(settings, args)
    if text:
        print(text)
    return 0 if valid else 1


_COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], Awaitable[int]]] = {
    "migrate": _migrate,
    "rollback": _rollback,
    "status": _status,
    "create": _create,
    "reset": _reset,
    "seed": _seed,
    "check": _check,
    "keys": _keys,
    "audit": _audit,
}


def main() -> int:
    """Run one command; exit 0 on success, 1 on failure, 78 on wrong settings."""
    args = _parser().parse_args()
    try:
        settings = load()
        _check_settings(settings, args.command)
        return asyncio.run(_run(settings, args))
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    except (MigrationError, RotationError, SeedError, Problem, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _check_settings(settings: Settings, command: str) -> None:
    if command != "create" and not settings.database_url:
        raise SettingsInvalid(["DATABASE_URL: not set; run `make up`, or set it to yours"])
    if command in {"check", "keys", "audit"} and not settings.secret_keys:
        raise SettingsInvalid(["SECRET_KEYS: not set; print one with `make key`"])


async def _run(settings: Settings, args: argparse.Namespace) -> int:
    return await _COMMANDS[args.command](settings, args)


if __name__ == "__main__":
    sys.exit(main())
