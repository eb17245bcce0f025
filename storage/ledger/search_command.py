"""`python -m storage audit search` and `export`: the trail for who sits at the machine."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import orjson

from storage.actor import operator
from storage.audit import Outcome
from storage.database import Database
from storage.ledger.batches import batches
from storage.ledger.chain import written
from storage.ledger.formats import FORMATS
from storage.ledger.records import Actions, AuditEvent
from storage.pages import Window

_MOST = 1_000
_DAY = len("2026-11-21")
_STDOUT = "-"


def add_parsers(actions: Any) -> None:
    """Add `search` and `export` to the commands of `audit`."""
    search = actions.add_parser("search", help="print the newest events that match")
    search.add_argument("--limit", type=_limit, default=50, help=f"how many, up to {_MOST} (50)")
    search.add_argument("--json", action="store_true", help="a JSON object a line")
    export = actions.add_parser("export", help="write every sealed event that matches")
    export.add_argument("--format", choices=tuple(FORMATS), default="jsonl")
    export.add_argument("--output", default=_STDOUT, help="a file, or - for standard output (-)")
    for parser in (search, export):
        parser.add_argument("--actor", type=_read(UUID, "an id"), help="id of who did it")
        parser.add_argument(
            "--subject", type=_read(UUID, "an id"), help="id of whom it was done to"
        )
        parser.add_argument(
            "--action", dest="what", type=_read(Actions.read, "user.created,role.*")
        )
        parser.add_argument("--outcome", choices=tuple(Outcome))
        parser.add_argument("--address", type=_read(_address, "an address such as 203.0.113.9"))
        parser.add_argument("--request", help="a request id")
        parser.add_argument("--since", type=_read(_since, "a day or a time"))
        parser.add_argument("--until", type=_read(_until, "a day, which counts whole, or a time"))


async def run(database: Database, args: argparse.Namespace) -> str:
    """Search or export; return what to print. Raises DatabaseAway, OSError."""
    window = Window(
        sort="time",
        limit=getattr(args, "limit", 0),
        offset=None,
        filters=_filters(args),
        since=args.since,
        until=args.until,
    )
    if args.action == "export":
        await _export(database, window, args)
        return ""
    async with database.transaction(operator()) as storage:
        page = await storage.trail.page(window)
        await storage.audit.note("audit.searched", count=len(page.items), by_command=True)
    tell = _as_json if args.json else _as_line
    return "\n".join(tell(event) for event in page.items)


async def _export(database: Database, window: Window, args: argparse.Namespace) -> None:
    """Two events, as over HTTP: who kills the command when data left is in the trail, too."""
    actor, form = operator(), FORMATS[args.format]
    rows, outcome = 0, Outcome.FAILURE
    with closing(_Target(args.output)) as target:
        async with database.transaction(actor) as storage:
            await storage.audit.note("audit.export_begun", format=form.name, by_command=True)
        try:
            target.write(form.head)
            async with aclosing(batches(database, window)) as found:
                async for batch in found:
                    target.write(form.write(batch))
                    rows += len(batch)
                    sys.stderr.write(f"{rows:,} rows\n")
            target.keep()
            outcome = Outcome.SUCCESS
        finally:
            async with database.transaction(actor) as storage:
                await storage.audit.note(
                    "audit.exported",
                    outcome=outcome,
                    count=rows,
                    format=form.name,
                    by_command=True,
                )


class _Target:
    """Where an export goes: a file is there whole or not at all."""

    def __init__(self, name: str) -> None:
        self._file: IO[bytes] = sys.stdout.buffer
        self._path, self._part = Path(name), Path(f"{name}.part")
        self._is_file = name != _STDOUT
        if self._is_file:
            # Addresses are in it: for nobody else on this machine.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.fdopen(os.open(self._part, flags, 0o600), "wb")

    def write(self, part: bytes) -> None:
        self._file.write(part)

    def keep(self) -> None:
        """Give the file its name, once all of it is on disk."""
        self._file.flush()
        if self._is_file:
            os.fsync(self._file.fileno())
            self._part.replace(self._path)

    def close(self) -> None:
        """Leave nothing behind that is not whole."""
        if self._is_file:
            self._file.close()
            self._part.unlink(missing_ok=True)


def _filters(args: argparse.Namespace) -> dict[str, Any]:
    given = {
        "actor": args.actor,
        "subject": args.subject,
        "action": args.what,
        "outcome": args.outcome,
        "address": args.address,
        "requestId": args.request,
    }
    return {name: value for name, value in given.items() if value is not None}


def _as_json(event: AuditEvent) -> str:
    shown = {
        "id": event.id,
        "sequence": event.sequence,
        "action": event.action,
        "actor": event.actor_id,
        "actorKind": event.actor_kind,
        "subject": event.subject_id,
        "time": written(event.happened_at),
        "address": event.address,
        "requestId": event.request_id,
        "outcome": event.outcome,
        "facts": event.facts,
        "sealed": event.sealed,
    }
    return orjson.dumps(shown).decode()


def _as_line(event: AuditEvent) -> str:
    who = event.actor_id or event.actor_kind
    facts = " ".join(f"{name}={value}" for name, value in sorted(event.facts.items()))
    parts = (
        written(event.happened_at),
        f"{event.sequence or '(waits)':>9}",
        f"{event.action:28}",
        f"{event.outcome:7}",
        f"by {who}",
        f"to {event.subject_id}" if event.subject_id else "",
        f"from {event.address}" if event.address else "",
        facts,
    )
    # What stands in facts must not become signs of the terminal's.
    return "".join(sign if sign.isprintable() else "?" for sign in "  ".join(filter(None, parts)))


def _read(read: Callable[[str], Any], wanted: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, OverflowError) as error:
            raise argparse.ArgumentTypeError(f"{text!r}: want {wanted}") from error

    return convert


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"want 1 to {_MOST}")
    return int(text)


def _address(text: str) -> str:
    return str(ip_address(text))


def _since(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _until(text: str) -> datetime:
    """Return the first moment after what is meant."""
    length = timedelta(days=1) if len(text) == _DAY else timedelta(microseconds=1)
    return _since(text) + length
