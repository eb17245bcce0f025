"""The dashboards as Grafana reads them, and their expressions taken apart."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import promql_parser

from grafana import generate

BOARDS: list[dict[str, Any]] = [json.loads(text) for text in generate.files().values()]

# Nobody writes 61 seconds by hand, so where it stands Grafana's own span stood.
RATE_INTERVAL = timedelta(seconds=61)


def variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what can be chosen above the panels."""
    return list(board["templating"]["list"])


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels without the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def all_panels() -> Iterator[dict[str, Any]]:
    """Give the panels of all dashboards."""
    for board in BOARDS:
        yield from panels(board)


def written() -> list[str]:
    """Return every expression as it is written, of panels and of marks on curves."""
    asked = {target["expr"] for panel in all_panels() for target in panel["targets"]}
    marks = {mark["expr"] for board in BOARDS for mark in board["annotations"]["list"]}
    return sorted(asked | marks)


def nodes(expression: str) -> list[Any]:
    """Return every part of an expression; variables stand in it as they are written."""
    found: list[Any] = []
    text = expression.replace("$__rate_interval", "61s").replace("$__range", "1h")
    promql_parser.walk(promql_parser.parse(text), found.append)
    return found


def selectors(expression: str) -> list[Any]:
    """Return what an expression selects."""
    return [part for part in nodes(expression) if isinstance(part, promql_parser.VectorSelector)]


def matched(selector: Any) -> dict[str, str]:
    """Return what a selector matches, by label."""
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}


def calls(expression: str) -> list[tuple[str, Any]]:
    """Return each function of an expression with what it is called on."""
    found = [part for part in nodes(expression) if isinstance(part, promql_parser.Call)]
    return [(call.func.name, argument) for call in found for argument in call.args]
