"""Every SQL statement prepares against the migrated schema, as the role that uses it."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
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
_PIECE = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|AND|OR|SET|VALUES|ORDER|LIMIT)\b")
_CONSTANT = re.compile("_?[A-Z_]+")
# They put statements together of pieces, values apart; tests of lists look at what those find.
_COMPOSERS = {
    "ledger/search.py", "pages/ages.py", "pages/arguments.py", "pages/listing.py", "pages/walks.py",
    "teams/members.py",
}  # fmt: skip
# What runs through constants of the same module, and a constant that is filled in.
_CHOSEN = {
    "backlog/repository.py": {"condition", "statement"},
    "outbox/repository.py": {f"_WAITING.format(state='{s}')" for s in ("pending", "handed_over")},
}
_LOCK = re.compile(r"advisory_(?:xact_)?lock\((\d+)\)")
_SESSION_COMMAND = re.compile(r"[\"']\s*(SET (?!LOCAL)|LISTEN |PREPARE |CREATE TEMP|DECLARE )")


def interpolated(source: str) -> Iterator[tuple[int, list[str]]]:
    """Return what is put into each piece of SQL that a module writes as an f-string, by line."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = [part.value for part in node.values if isinstance(part, ast.Constant)]
        if _PIECE.search(" ".join(text)):
            values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
            yield node.lineno, [ast.unparse(part.value) for part in values]


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
    floor, found = ROOT / "storage", 0
    for path in floor.rglob("*.py"):
        if (module := str(path.relative_to(floor))) in _COMPOSERS:
            continue
        for line, names in interpolated(path.read_text()):
            others = {name for name in names if not _CONSTANT.fullmatch(name)}
            assert others <= _CHOSEN.get(module, set()), f"{path}:{line}"
            found += 1

    assert found > 20


def test_a_value_that_is_interpolated_would_be_found_on_any_line_of_a_statement() -> None:
    source = """
BY_ID = f'''
SELECT {COLUMNS} FROM users
WHERE id = {user_id}
'''
"""

    assert list(interpolated(source)) == [(2, ["COLUMNS", "user_id"])]


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    # While a million people are seeded the audit trail is sealed, and teams get names.
    files = (ROOT / "storage").rglob("*.py")
    numbers = [number for file in files for number in _LOCK.findall(file.read_text())]

    assert len(numbers) > 5
    assert len(set(numbers)) == len(numbers), sorted(numbers)
