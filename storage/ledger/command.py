"""`python -m storage audit`: the trail searched and exported, the ledger verified."""

import argparse
import json
from typing import Any

from ops.metrics import Metrics
from ops.settings import Settings
from storage.database import Database
from storage.ledger import search_command
from storage.ledger.keys import told
from storage.ledger.verify import Verdict, verify
from storage.ledger.witness import Witness


def add_parser(commands: Any) -> None:
    """Add `audit` with its own commands to those of the program."""
    audit = commands.add_parser("audit", help="search, export and verify what happened")
    actions = audit.add_subparsers(dest="action", required=True)
    verify_ = actions.add_parser(
        "verify", help="walk the whole chain; exit 1 naming the first row that was touched"
    )
    verify_.add_argument("--json", action="store_true")
    search_command.add_parsers(actions)
    actions.add_parser("keys", help="print the public keys that checkpoints are verified with")


async def run(settings: Settings, args: argparse.Namespace) -> tuple[bool, str]:
    """Do it; return whether all is well and what to print. Raises DatabaseAway, OSError."""
    if args.action == "keys":
        return True, told(settings.keyring)
    database = await Database.open(
        settings.worker_database_url or settings.database_url,
        keys=settings.keyring,
        metrics=Metrics(),
        name="audit",
        pool_size=1,
    )
    try:
        if args.action != "verify":
            return True, await search_command.run(database, args)
        verdict = await verify(database, settings.keyring, Witness(settings.home).kept())
    finally:
        await database.close()
    return verdict.valid, json.dumps(_facts(verdict)) if args.json else _told(verdict)


def _facts(verdict: Verdict) -> dict[str, Any]:
    return {
        "valid": verdict.valid,
        "checked": verdict.checked,
        "head": verdict.head.shown() if verdict.head else None,
        "firstBroken": verdict.first_broken,
        "reason": verdict.reason,
    }


def _told(verdict: Verdict) -> str:
    if not verdict.valid:
        return f"BROKEN at row {verdict.first_broken}: {verdict.reason}"
    if verdict.head is None:
        return "the ledger is empty"
    return f"valid: {verdict.checked} rows up to {verdict.head.sequence}"
