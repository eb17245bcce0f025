"""What runbooks call a panel is one, on the dashboard that they name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboards.reading import BOARDS, panels
from tests.dashboards.series import ROOT

_RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
# `panels "A" and "B" of the dashboard Audit`; a name of ours is never broken off by these signs.
_NAMED = re.compile(
    r'\b[Pp]anels? ("[^"]+"(?:(?:, | and |, and )"[^"]+")*)'
    r"(?: of the (?:(overview)|dashboard ([A-Z][\w-]*(?: [\w-]+)*)))?"
)
_TITLES = {
    board["title"].removeprefix("Ostiary / "): {panel["title"] for panel in panels(board)}
    for board in BOARDS
}


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Give each panel a text names in quotes, with what follows the word dashboard."""
    for quoted, overview, board in _NAMED.findall(" ".join(text.split())):
        for title in re.findall(r'"([^"]+)"', quoted):
            yield title, "Overview and SLO" if overview else board


def _is_there(title: str, board: str) -> bool:
    # The words that follow a dashboard's name may belong to the sentence.
    return any(title in titles for name, titles in _TITLES.items() if board.startswith(name))


@pytest.mark.parametrize("path", _RUNBOOKS, ids=lambda path: path.stem)
def test_every_panel_a_runbook_names_is_on_the_dashboard_it_names(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for title, board in _named(text):
        assert _is_there(title, board), f'"{title}" of the dashboard {board or "(none named)"}'


def test_no_panel_is_named_in_a_way_that_is_not_looked_at() -> None:
    for path in _RUNBOOKS:
        text = " ".join(path.read_text(encoding="utf-8").split())
        said = re.findall(r"\b[Pp]anels?\b", text)
        assert len(said) == len(_NAMED.findall(text)), path.name


def test_a_panel_that_does_not_exist_would_be_found() -> None:
    text = 'The panels "Processor" and "Broker\n  messages" of the dashboard Jobs and letters.'

    assert [_is_there(*named) for named in _named(text)] == [False, False]
    assert _is_there("Handed to the broker", "Jobs and letters")
