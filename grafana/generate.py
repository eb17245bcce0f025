"""python -m grafana.generate: write grafana/dashboards/*.json; a test keeps them current."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.board import RUNBOOKS
from grafana.boards.api import API
from grafana.boards.audit import AUDIT
from grafana.boards.business import BUSINESS
from grafana.boards.databases import DATABASES
from grafana.boards.jobs import JOBS
from grafana.boards.overview import OVERVIEW
from grafana.boards.processes import PROCESSES
from grafana.boards.security import SECURITY

FOLDER = Path(__file__).parent / "dashboards"

_DASHBOARDS = (OVERVIEW, API, SECURITY, JOBS, DATABASES, PROCESSES, AUDIT, BUSINESS)
# As Grafana fills them in when somebody has chosen nothing.
_FILLED = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    '"$job"': '"ostiary"',
    '"$process"': '".*"',
    **{f'"${name}"': '".+"' for name in ("instance", "route", "postgres", "redis", "node")},
}


def files(*, runbooks: str = RUNBOOKS) -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    texts = {
        f"{str(board.uid).removeprefix('ostiary-')}.json": JSONEncoder(indent=2).encode(board)
        for board in _DASHBOARDS
    }
    return {name: f"{text.replace(RUNBOOKS, runbooks)}\n" for name, text in texts.items()}


def expressions() -> Iterator[tuple[str, str, str]]:
    """Yield the UID of a dashboard, the title of a panel and an expression that can be asked.

    Without the marks on the curves: while no process starts there are rightly none.
    """
    for text in files().values():
        board: dict[str, Any] = json.loads(text)
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield board["uid"], panel["title"], filled(target["expr"])


def filled(expression: str) -> str:
    """Return an expression with sensible values for what Grafana fills in."""
    for name, value in _FILLED.items():
        expression = expression.replace(name, value)
    return expression


def main() -> None:
    """Write the dashboards."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--runbooks", default=RUNBOOKS, help="where your docs/runbooks can be read")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder to write into")
    options = parser.parse_args()
    for name, text in files(runbooks=options.runbooks.rstrip("/")).items():
        (options.to / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
