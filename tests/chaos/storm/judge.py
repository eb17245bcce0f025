"""The judge: holds the clients' ledger and the mail server's letters against the database.

Each rule returns what breaks it, as a sentence and the deed it is about (None: about no one deed).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from tests.chaos.storm.accidents import Accident
from tests.chaos.storm.found import Found
from tests.chaos.storm.ledger import Deed, Ledger
from tests.chaos.storm.post import UNKNOWN
from tests.mailroom import to_of

_LETTERS = frozenset({"emails", "passwords"})
# Letters of one kind that an address gets in an hour (docs/auth.md).
_ENOUGH = 3
# A letter is noted by the worker that handed it over, in the database: who takes either of them
# away in between makes a second copy possible.
_COPIERS = frozenset({"worker", "postgres", "backend"})

Letters = Sequence[tuple[float, EmailMessage]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    sentence: str
    deed: Deed | None = None


def rows_are_as_acknowledged(ledger: Ledger, found: Found) -> list[Finding]:
    """Find acknowledged writes that are not there, or twice, or with another value."""
    findings = []
    for (table, key), row in ledger.rows.items():
        there = found.rows.get((table, key), [])
        if len(there) > 1 or (row.is_certain and not there):
            deed = next((one for one in ledger.deeds if one.whose == key), None)
            findings.append(Finding(f"{table} {key} is there {len(there)} times", deed))
        for column, values in row.values.items() if there else ():
            if there[0][column] not in values:
                told = f"{table} {key}: {column} is {there[0][column]!r}, not {sorted(values)}"
                deeds = [one for one in ledger.deeds if one.whose == key]
                findings.append(Finding(told, deeds[-1] if deeds else None))
    return findings


def deeds_left_their_traces(ledger: Ledger, found: Found) -> list[Finding]:
    """Find deeds without each event and promise once; the unknown have all of them, or none."""
    findings = []
    by_request: dict[str, list[str]] = defaultdict(list)
    for promise in found.promises:
        by_request[promise["request_id"] or ""].append(promise["name"])
    for deed in ledger.deeds:
        events = Counter(name for one in deed.request_ids for name in found.events.get(one, ()))
        jobs = Counter(name for one in deed.request_ids for name in by_request.get(one, ()))
        counts = [events[name] for name in deed.events] + [jobs[name] for name in deed.jobs]
        right = [[1] * len(counts)]
        if not deed.acknowledged:
            right = [[0] * len(counts)] + (right if deed.is_unknown else [])
        if counts not in right:
            told = f"{deed.what} of {deed.whose} left {dict(events + jobs)}"
            findings.append(Finding(told, deed))
    return findings


def nothing_came_from_nowhere(ledger: Ledger, found: Found) -> list[Finding]:
    """Find events with the mark of a request of ours that nobody made."""
    known = {one for deed in ledger.deeds for one in deed.request_ids}
    strange = [one for one in found.events if one.startswith("storm-") and one not in known]
    return [Finding(f"events of requests nobody made: {strange}")] if strange else []


def promises_are_kept(ledger: Ledger, found: Found) -> list[Finding]:
    """Find promises that are open, or given up though they were not letters to nobody."""
    deeds = _deeds_by_request(ledger)
    findings = []
    for promise in found.promises:
        deed = deeds.get(promise["request_id"])
        is_to_nobody = (promise["email"] or "").endswith(UNKNOWN)
        right = "dead" if is_to_nobody and promise["letter"] == "failed" else "done"
        if promise["name"] != "audit.seal" and promise["state"] != right:
            told = f"{promise['name']} {promise['id']} is {promise['state']}"
            findings.append(Finding(f"{told}: {promise['last_error']}", deed))
    return findings


def letters_came(ledger: Ledger, found: Found, letters: Letters) -> list[Finding]:
    """Find letters that were promised and never came, or came and were never promised."""
    deeds = _deeds_by_request(ledger)
    came = {_id_of(letter): to_of(letter) for _, letter in letters}
    handed = Counter(
        (one["user_id"], one["template"] == "reset")
        for one in found.promises
        if one["letter"] == "handed_over"
    )
    findings = []
    for promise in found.promises:
        if promise["queue"] not in _LETTERS:
            continue
        deed, letter = deeds.get(promise["request_id"]), promise["letter"]
        told = f"the letter of {promise['name']} {promise['id']} is {letter}"
        whom = came.pop(str(promise["id"]), "")
        if letter == "handed_over" and whom != promise["email"]:
            findings.append(Finding(f"{told}, and never came", deed))
        elif (
            letter == "withheld" and not _may_be_withheld(promise, found, handed, whom)
        ) or letter not in {"handed_over", "withheld", "failed"}:
            findings.append(Finding(told, deed))
    findings += [
        Finding(f"letter {one} to {whom} was never promised") for one, whom in came.items()
    ]
    return findings


def copies_have_their_kill(
    found: Found, letters: Letters, accidents: Sequence[Accident]
) -> list[Finding]:
    """Find letters that came more than once without a hard kill while they were under way."""
    times: dict[str, list[float]] = defaultdict(list)
    for at, letter in letters:
        times[_id_of(letter)].append(at)
    kills = [one for one in accidents if one.is_kill and one.whom in _COPIERS]
    promises = {str(promise["id"]): promise for promise in found.promises}
    findings = []
    for letter_id, arrivals in times.items():
        first = promises[letter_id]["promised"] - found.ahead if letter_id in promises else 0.0
        allowed = sum(first <= kill.over and kill.began <= arrivals[-1] for kill in kills)
        if len(arrivals) - 1 > allowed:
            told = f"letter {letter_id} came {len(arrivals)} times after {allowed} kills"
            findings.append(Finding(told))
    return findings


def slots_were_kept(found: Found) -> list[Finding]:
    """Find slots of the clock without one promise that was kept."""
    return [
        Finding(
            f"{one['task']}: {one['slots']} slots, {one['promises']} promises, {one['done']} done"
        )
        for one in found.slots
        if not one["slots"] == one["promises"] == one["done"]
    ]


def _deeds_by_request(ledger: Ledger) -> dict[str, Deed]:
    return {one: deed for deed in ledger.deeds for one in deed.request_ids}


def _id_of(letter: EmailMessage) -> str:
    return str(letter["Message-ID"]).strip("<>").partition("@")[0]


def _may_be_withheld(
    promise: dict[str, Any], found: Found, handed: "Counter[tuple[Any, bool]]", whom: str
) -> bool:
    """Whether its recipient had enough, or a newer one, or this very one, or needs no proof.

    Whose worker is killed just after the mail server took it, and whose reader is quick to use the
    token, is found spent by the next try. Who resets the password in that moment has proved the
    address.
    """
    if whom:
        return whom == promise["email"] and promise["crashes"] > 0
    is_reset = promise["template"] == "reset"
    is_proved = not is_reset and handed[promise["user_id"], True] > 0
    return is_proved or handed[promise["user_id"], is_reset] >= _ENOUGH or _newer(promise, found)


def _newer(promise: dict[str, Any], found: Found) -> bool:
    return any(
        other["user_id"] == promise["user_id"]
        and other["template"] == promise["template"]
        and other["id"] > promise["id"]
        for other in found.promises
    )
