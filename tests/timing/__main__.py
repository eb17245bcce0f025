"""`make timing`: tell how well a stranger can tell accounts apart, endpoint by endpoint.

Ends with 1 when a class differs in an answer or, in two runs, in time; with 2 when the control
shows that the machine is too noisy to say.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from api.passwords.hasher import Hasher
from ops.metrics import Metrics
from tests.factories import PASSWORD
from tests.timing import scene, server
from tests.timing.accounts import Account
from tests.timing.questions import QUESTIONS, Question
from tests.timing.stopwatch import examine, rounds_of
from tests.timing.verdict import Finding, Verdict

_BCRYPT_COST = 10
_ROW = "{:<29} {:<13} {:>4} {:>8} {:>8}  {:<9} {}"


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _examined(questions: Sequence[Question], rounds: int) -> list[Finding]:
    """Ask every question of a web process of its own, over a database of its own people."""
    hasher = Hasher(Metrics(), slots=1)
    own_hash = await hasher.hash(PASSWORD)
    hasher.close()
    looks = (rounds, rounds)
    findings: list[Finding] = []
    with server.stack() as environ:
        async with server.owning(environ) as owner:
            for question in questions:
                each = rounds_of(looks)
                await server.empty(owner)
                await scene.people(
                    owner, question, each=each, own_hash=own_hash, bcrypt_cost=_BCRYPT_COST
                )
                settings = scene.SETTINGS | {"security_profile": question.profile}
                async with server.web_process(environ, **settings) as client:
                    asker = await scene.asker(client, owner, question, each=each)
                    findings += await examine(asker, looks, progress=_told)
    return findings


def _table(findings: Sequence[Finding]) -> str:
    lines = [_ROW.format("endpoint (profile)", "class", "n", "ms", "unknown", "AUC", "verdict")]
    for found in findings:
        aucs = " ".join(f"{value:.2f}" for value in found.aucs)
        medians = (f"{found.median * 1000:.2f}", f"{found.median_unknown * 1000:.2f}")
        row = (found.question, found.account, found.count, *medians, aucs, found.verdict)
        lines += [_ROW.format(*row), *found.answers]
    return "\n".join(lines)


def _code(findings: Sequence[Finding]) -> int:
    verdicts = {found.verdict for found in findings}
    if verdicts & {Verdict.SLOWER, Verdict.FASTER, Verdict.DIFFERENT}:
        return 1
    return 2 if Verdict.BLIND in verdicts else 0


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="make timing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=150, help="requests a class and look")
    parser.add_argument("--only", default="", help="endpoints whose name contains this")
    chosen = parser.parse_args()
    questions = [
        replace(question, classes=(*question.classes, Account.CONTROL))
        for question in QUESTIONS
        if chosen.only in question.name
    ]
    findings = asyncio.run(_examined(questions, chosen.rounds))
    if chosen.json:
        print(json.dumps([asdict(found) for found in findings], indent=2))
    else:
        print(_table(findings))
    return _code(findings)


if __name__ == "__main__":
    sys.exit(main())
