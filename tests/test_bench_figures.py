"""What `make bench` makes of its figures: medians, verdicts, pictures, the page."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import plots
from tests.bench.asked import (
    Answered,
    percentile,
)
from tests.bench.figures import Goal, Measured, Quiet, Turn, ratio, spread
from tests.bench.page import SUMMARY, Page


def _answered(requests: int = 100, *, seconds: float = 1.0) -> Answered:
    return Answered(requests=requests, seconds=seconds, p50=1.0, p99=2.0, refused=0, broken=0)


def _turns(*per_core: float) -> list[Turn]:
    return [Turn(answered=_answered(1_000), cpu=1_000 / figure) for figure in per_core]


def _measured(quiet: Quiet | None = None, **per_core: tuple[float, ...]) -> Measured:
    turns = {name: _turns(*figures) for name, figures in per_core.items()}
    return Measured(turns=turns, quiet=quiet or Quiet())


def test_a_percentile_is_what_that_share_does_not_exceed() -> None:
    figures = [float(number) for number in range(1, 101)]

    assert percentile(figures, 0.5) == 51
    assert percentile(figures, 0.99) == 100
    assert percentile([], 0.99) == 0
    assert percentile([7.0], 0.99) == 7


def test_core_s_is_requests_by_the_seconds_that_served_them() -> None:
    turn = Turn(answered=_answered(600, seconds=2.0), cpu=1.5)

    assert turn.per_core == 400
    assert turn.per_second == 300


def test_a_ratio_is_the_median_of_neighbours_and_not_of_medians() -> None:
    ours, theirs = [10.0, 20.0, 90.0], [10.0, 10.0, 10.0]

    assert ratio(ours, theirs) == 2
    assert ratio([1.0, 100.0, 3.0], [1.0, 10.0, 30.0]) == 1


def test_a_ratio_with_somebody_who_answered_nothing_is_none() -> None:
    assert ratio([5.0], [0.0]) == 0


def test_a_figure_is_told_with_its_least_and_greatest() -> None:
    assert spread([3.0, 1_000.0, 2.0]) == "3 (2 to 1,000)"


@pytest.mark.parametrize(
    ("controls", "others", "counts"),
    [
        ([1.0, 1.1, 1.05], [0.02, 0.03], True),
        ([1.0, 1.1, 1.6], [0.02, 0.03], False),
        ([1.0, 1.1, 1.05], [0.4, 0.3, 0.01], False),
    ],
)
def test_a_run_counts_when_the_machine_was_steady_and_ours(
    controls: list[float], others: list[float], *, counts: bool
) -> None:
    quiet = Quiet(controls=controls, others=others)

    assert quiet.enough is counts
    assert ("does not count" in quiet.words()) is not counts


def test_a_goal_at_least_and_one_at_most_are_judged_each_its_way() -> None:
    fast = Goal(what="PocketBase", value=3.1, bound=3.0)
    slow = Goal(what="p99", value=11.0, bound=10.0, unit="ms", at_most=True)

    assert fast.met
    assert fast.promise == ">= 3x"
    assert not slow.met
    assert slow.promise == "<= 10 ms"
    assert Goal(what="", value=0.934, bound=0.93, unit="%").told(0.934) == "93%"


def test_measured_ratios_are_of_core_s() -> None:
    measured = _measured(ours=(30.0, 60.0), theirs=(10.0, 10.0))

    assert measured.ratio("ours", "theirs") == pytest.approx(4.5)


def test_the_longest_bar_belongs_to_the_greatest_figure() -> None:
    text = plots.bars("Sign <in>", "a & b", {"Them": 20.0, "Us": 80.0}, ours="Us")

    picture = ET.fromstring(text)  # noqa: S314 - ours
    space = {"svg": "http://www.w3.org/2000/svg"}
    widths = [float(bar.attrib["width"]) for bar in picture.findall("svg:rect", space)]
    words = " ".join(picture.itertext())

    assert widths[1] == pytest.approx(widths[0] * 4, rel=0.01)
    assert "Sign <in>" in words
    assert "a & b" in words
    assert "Ostiary x4.00" in words
    assert "prefers-color-scheme: dark" in words


def test_a_picture_of_nothing_is_still_a_picture() -> None:
    ET.fromstring(plots.bars("x", "y", {"Them": 0.0}, ours="Us"))  # noqa: S314 - ours


def test_a_section_and_a_line_of_the_summary_replace_their_own(tmp_path: Path) -> None:
    page = Page(tmp_path / "BENCHMARKS.md")
    page.write("One", "first")
    page.write("Two", "second")
    page.summarize("login", ["1", "2", "3", "4", "5x", ">= 5x", "yes"])
    page.summarize("me", ["1", "2", "3", "4", "5x", ">= 9x", "**no**"])

    page.write("One", "changed")
    page.summarize("login", ["9", "2", "3", "4", "5x", ">= 5x", "yes"])

    text = (tmp_path / "BENCHMARKS.md").read_text()
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [f"## {SUMMARY}", "## One", "## Two"]
    assert "first" not in text
    assert text.count("| login |") == 1
    assert "| login | 9 |" in text
    assert "| me | 1 |" in text
