"""Asks about the classes in turns, in random order, and compares answers byte by byte and times.

A class is looked at again only while every look so far found it outside the bounds on the same
side. Each look asks UNKNOWN anew, so the looks are independent. A look that does not see the
control, where there is one, says nothing and is repeated.
"""

import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from tests.timing.accounts import Account, address_of
from tests.timing.questions import Question
from tests.timing.verdict import HIGHEST, Finding, Verdict, auc, verdict_on

AUTH = "/api/v1/auth"
# What the control's requests are counted longer: a leak that must be found.
PLANTED = 0.002
# Statements are prepared and planned anew during the first few requests of a connection.
_WARM_UP = 6
_TRIES = 3
# Every thousandth answer of a connection closes it.
_OWN_TO_A_REQUEST = {"Date", "X-Request-Id", "Connection"}
_SHOWN = 3


@dataclass(slots=True)
class Heard:
    """The times and distinct answers of one class in one look."""

    times: list[float] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Asker:
    """Asks one question; every address is asked about once."""

    client: aiohttp.ClientSession
    question: Question
    headers: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=count)

    async def look(self, classes: Sequence[Account], rounds: int) -> dict[Account, Heard]:
        """Ask about each class once a round, in another order each round."""
        heard = {account: Heard() for account in classes}
        for _ in range(rounds):
            number = next(self.numbers)
            for account in random.sample(classes, len(classes)):
                seconds, answer = await self._ask(address_of(account, number))
                planted = PLANTED if account is Account.CONTROL else 0
                heard[account].times.append(seconds + planted)
                heard[account].answers.add(answer)
        return heard

    async def _ask(self, address: str) -> tuple[float, str]:
        url = f"{AUTH}/{self.question.path}"
        body = json.dumps(self.question.body(address)).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        started = time.perf_counter()
        async with self.client.post(url, data=body, headers=headers) as answer:
            raw = await answer.read()
        return time.perf_counter() - started, _told(answer, raw.decode())


async def examine(
    asker: Asker,
    looks: Sequence[int],
    *,
    classes: Sequence[Account] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Compare every class of the question with UNKNOWN; each look has so many rounds.

    `classes` are looked at in place of the question's own.
    """
    suspects = list(classes or asker.question.classes)
    seen: dict[Account, list[dict[Account, Heard]]] = {account: [] for account in suspects}
    await asker.look([Account.UNKNOWN, *suspects], _WARM_UP)
    for number, rounds in enumerate(looks, 1):
        names = ", ".join(suspects)
        progress(f"{asker.question.name}: look {number}, {rounds} rounds: {names}")
        heard = await _seeing_look(asker, [Account.UNKNOWN, *suspects], rounds)
        for account in suspects:
            seen[account].append(heard)
        suspects = [account for account in suspects if _is_suspect(account, seen[account])]
        if not set(suspects) - {Account.CONTROL}:
            break
    return [_finding(asker.question, account, seen[account]) for account in seen]


def rounds_of(looks: Sequence[int]) -> int:
    """Return how many addresses of each class the looks can take."""
    return _WARM_UP + _TRIES * sum(looks)


async def _seeing_look(
    asker: Asker, classes: Sequence[Account], rounds: int
) -> dict[Account, Heard]:
    for _ in range(_TRIES - 1):
        heard = await asker.look(classes, rounds)
        if Account.CONTROL not in heard or _aucs(Account.CONTROL, [heard])[0] > HIGHEST:
            return heard
    return await asker.look(classes, rounds)


def _is_suspect(account: Account, looks: Sequence[dict[Account, Heard]]) -> bool:
    """Say whether another look is needed; the control takes part in every one."""
    return verdict_on(account, _aucs(account, looks)) is not Verdict.ALIKE


def _finding(
    question: Question, account: Account, looks: Sequence[dict[Account, Heard]]
) -> Finding:
    aucs = _aucs(account, looks)
    usual = set().union(*(look[Account.UNKNOWN].answers for look in looks))
    own = set().union(*(look[account].answers for look in looks))
    times = _times(account, looks)
    return Finding(
        question=question.name,
        account=account,
        count=len(times),
        median=statistics.median(times),
        median_unknown=statistics.median(_times(Account.UNKNOWN, looks)),
        aucs=aucs,
        verdict=Verdict.DIFFERENT if own != usual else verdict_on(account, aucs),
        answers=tuple(sorted(own ^ usual)[:_SHOWN]),
    )


def _aucs(account: Account, looks: Sequence[dict[Account, Heard]]) -> tuple[float, ...]:
    return tuple(auc(look[account].times, look[Account.UNKNOWN].times) for look in looks)


def _times(account: Account, looks: Sequence[dict[Account, Heard]]) -> list[float]:
    return [seconds for look in looks for seconds in look[account].times]


def _told(answer: aiohttp.ClientResponse, text: str) -> str:
    """Return the answer as it was sent, less what is every request's own."""
    headers = [
        f"{name}: {value}"
        for name, value in answer.headers.items()
        if name.title() not in _OWN_TO_A_REQUEST
    ]
    meta = json.loads(text)["meta"]
    for own in (meta["requestId"], meta["timestamp"]):
        text = text.replace(own, "*")
    return "\n".join([str(answer.status), *headers, text])
