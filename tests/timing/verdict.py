"""Can two classes of accounts be told apart by their times? The area under the ROC curve says."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.timing.accounts import Account

# The chance that one is told from the other by one answer; 0.5 is a coin (docs/enumeration.md).
LOWEST, HIGHEST = 0.40, 0.60


class Verdict(StrEnum):
    """What the times and answers of a class say."""

    ALIKE = "alike"
    SLOWER = "SLOWER"
    FASTER = "FASTER"
    DIFFERENT = "ANSWERS DIFFER"
    # Of the control alone: the planted time was found, or the machine is too noisy to find any.
    SEEN = "control seen"
    BLIND = "BLIND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found about one class of accounts at one endpoint; one AUC a look."""

    question: str
    account: Account
    count: int
    # Seconds, of this class and of UNKNOWN in the same looks.
    median: float
    median_unknown: float
    aucs: tuple[float, ...]
    verdict: Verdict
    # Some of the answers that only one of the two gets.
    answers: tuple[str, ...] = ()


def auc(times: Sequence[float], reference: Sequence[float]) -> float:
    """Return the chance that one of `times` is longer than one of `reference` (Mann-Whitney)."""
    ordered = sorted(reference)
    longer = sum(bisect_left(ordered, time) + bisect_right(ordered, time) for time in times)
    return longer / (2 * len(times) * len(reference))


def side_of(value: float) -> Verdict:
    """Return which side of the bounds an AUC is on."""
    if value > HIGHEST:
        return Verdict.SLOWER
    return Verdict.FASTER if value < LOWEST else Verdict.ALIKE


def verdict_on(account: Account, aucs: Sequence[float]) -> Verdict:
    """Judge the looks at a class: it is told apart only when all agree on the direction."""
    sides = {side_of(value) for value in aucs}
    if account is Account.CONTROL:
        return Verdict.SEEN if sides == {Verdict.SLOWER} else Verdict.BLIND
    return sides.pop() if len(sides) == 1 else Verdict.ALIKE
