"""The story of a failure: the requests of a deed, what they left, and what befell meanwhile."""

from collections.abc import Iterable, Sequence

from tests.chaos.storm.accidents import Accident
from tests.chaos.storm.found import Found
from tests.chaos.storm.judge import Finding, Letters
from tests.chaos.storm.ledger import Attempt, Deed

_AROUND = 10.0
_SHOWN = 8


def told(
    findings: Sequence[Finding],
    found: Found,
    letters: Letters,
    accidents: Sequence[Accident],
    *,
    began: float,
) -> str:
    """Tell the findings, each with its life; times are seconds since the storm began."""
    lines = [f"{len(findings)} findings"]
    for finding in findings[:_SHOWN]:
        lines.append(f"* {finding.sentence}")
        if finding.deed:
            lines += _life(finding.deed, found, letters, began)
            lines += _meanwhile(finding.deed, accidents, began)
    return "\n".join(lines)


def _life(deed: Deed, found: Found, letters: Letters, began: float) -> Iterable[str]:
    yield f"    deed: {deed.what} of {deed.whose}, acknowledged: {deed.acknowledged}"
    for attempt in deed.attempts:
        yield f"    {_span(attempt, began)} {attempt.request_id} {attempt.ending}: {attempt.answer}"
        for action in found.events.get(attempt.request_id, ()):
            yield f"      event {action}"
    for promise in found.promises_of(deed.request_ids):
        promised = promise["promised"] - found.ahead - began
        facts = ("name", "id", "state", "letter", "attempts", "crashes", "last_error")
        yield f"      promise at {promised:.2f}: " + " ".join(str(promise[one]) for one in facts)
        for at, letter in letters:
            if str(promise["id"]) in str(letter["Message-ID"]):
                yield f"        came at {at - began:.2f}"


def _meanwhile(deed: Deed, accidents: Sequence[Accident], began: float) -> Iterable[str]:
    since = min((one.began for one in deed.attempts), default=began) - _AROUND
    until = max((one.ended for one in deed.attempts), default=began) + _AROUND
    for one in accidents:
        if since < one.over and one.began < until:
            span = f"{one.began - began:.2f} to {one.over - began:.2f}"
            yield f"    accident: {one.whom} {one.what} {span}"


def _span(attempt: Attempt, began: float) -> str:
    return f"{attempt.began - began:.2f} to {attempt.ended - began:.2f}"
