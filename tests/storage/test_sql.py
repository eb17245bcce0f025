"""Every SQL statement prepares against the migrated schema, as the role that uses it."""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import storage
from ops.stack import Addresses

ROOT = Path(__file__).parents[2]
_VERB = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b(?!,)")
# The owner's own: the migrator and what gives rights.
_OWNERS = {"storage.migrate", "storage.grants"}
# A prepared statement is one statement, so that functions are the only way left.
_SESSION_STATE = re.compile(r"\bpg_(try_)?advisory_lock\(|\bset_config\([^)]*false|nextval")
_LOCK = re.compile(r"advisory_(?:xact_)?lock\((\d+)\)")
_SESSION_COMMAND = re.compile(r"[\"']\s*(SET (?!LOCAL)|LISTEN |PREPARE |CREATE TEMP|DECLARE )")


def statements() -> dict[str, str]:
    """Return every statement of the floor by module and name."""
    found = {}
    for info in pkgutil.walk_packages(storage.__path__, "storage."):
        if info.name == "storage.__main__":
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            if name.isupper() and isinstance(value, str) and _VERB.match(value):
                found[f"{info.name}.{name}"] = value
    return found


def test_the_scan_finds_the_statements_we_know() -> None:
    names = statements()

    assert len(names) > 50
    assert {
        "storage.users.repository.BY_ID",
        "storage.outbox.repository.CLAIM_DUE",
        "storage.audit.NOTE",
    } <= set(names)


async def test_every_statement_prepares_as_the_role_that_uses_it(
    addresses: Addresses, owner: Any
) -> None:
    url = {True: addresses.migration_database_url, False: addresses.database_url}
    roles = {own: await asyncpg.connect(url[own]) for own in (True, False)}
    worker = await asyncpg.connect(addresses.worker_database_url)

    for name, statement in statements().items():
        own = name.rpartition(".")[0] in _OWNERS
        for connection in [roles[True]] if own else [roles[False], worker]:
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{name}: {error}")

    for connection in (*roles.values(), worker):
        await connection.close()


async def test_a_statement_on_a_column_that_is_not_there_would_be_found(owner: Any) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await owner.prepare("SELECT nonsense FROM users")


def test_no_statement_leaves_state_in_a_session() -> None:
    for name, statement in statements().items():
        if name != "storage.migrate.LOCK":
            assert not _SESSION_STATE.search(statement), name
    for folder in ("api", "workers", "storage", "ops"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name == "migrate.py" or "stack" in path.parts:
                continue
            assert not _SESSION_COMMAND.search(path.read_text()), path


def test_only_columns_of_constants_are_interpolated() -> None:
    for path in (ROOT / "storage").glob("*.py"):
        for found in re.finditer(
            r'f"""?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b.*', path.read_text()
        ):
            names = re.findall(r"{([^}]*)}", found[0])
            assert all(re.fullmatch("_?[A-Z_]+", name) for name in names), found[0]


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    # While a million people are seeded the audit trail is sealed, and teams get names.
    files = (ROOT / "storage").rglob("*.py")
    numbers = [number for file in files for number in _LOCK.findall(file.read_text())]

    assert len(numbers) > 5
    assert len(set(numbers)) == len(numbers), sorted(numbers)
