"""The forms an export has: JSON lines, which can be verified, and CSV for people's spreadsheets."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from storage.ledger.chain import facts_of, stored, written
from storage.ledger.exporting import export_line

_COLUMNS = (
    "sequence",
    "id",
    "time",
    "action",
    "outcome",
    "actorKind",
    "actor",
    "subject",
    "address",
    "requestId",
    "facts",
    "sealed",
    "personal",
    "previous",
    "hash",
    "salt",
)
# What a spreadsheet takes for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How rows are written."""

    name: str
    media_type: str
    # What stands before the first row.
    head: bytes
    write: Callable[[Sequence[Mapping[str, Any]]], bytes]


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(export_line(row) if "hash" in row else _waiting_line(row) for row in rows)


def _waiting_line(row: Mapping[str, Any]) -> bytes:
    event = _shown(row)
    address = event.pop("address")
    line = {"event": event, "hash": None, "salt": None, "address": address}
    return orjson.dumps(line, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row under the names of an export, times and ids as text."""
    facts = dict(row)
    event: dict[str, Any]
    if "hash" in facts:
        event = stored(row).shown()
        salt = facts["salt"]
        link = {"hash": facts["hash"].hex(), "salt": salt.hex() if salt else None}
        return event | link | {"address": facts["address"]}
    return {
        "sequence": None,
        "id": str(facts["id"]),
        "action": facts["action"],
        "outcome": facts["outcome"],
        "actorKind": facts["actor_kind"],
        "actor": str(facts["actor_id"]) if facts["actor_id"] else None,
        "subject": str(facts["subject_id"]) if facts["subject_id"] else None,
        "requestId": facts["request_id"],
        "facts": facts_of(facts["facts"]),
        "time": written(facts["happened_at"]),
        "sealed": None,
        "personal": None,
        "previous": None,
        "address": facts["address"],
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        event = _shown(row)
        event["facts"] = orjson.dumps(event["facts"], option=orjson.OPT_SORT_KEYS).decode()
        writer.writerow([_cell(event.get(name)) for name in _COLUMNS])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return a value as a spreadsheet shows it; an apostrophe keeps it from being a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


FORMATS = {
    item.name: item
    for item in (
        Format(name="jsonl", media_type="application/x-ndjson", head=b"", write=_json_lines),
        Format(
            name="csv",
            media_type="text/csv",
            head=(",".join(_COLUMNS) + "\r\n").encode(),
            write=_csv,
        ),
    )
}
