"""python -m grafana.generate: write grafana/dashboards/*.json; a test keeps them current."""

import json
from pathlib import Path

from grafana.overview import OVERVIEW

FOLDER = Path(__file__).parent / "dashboards"

_DASHBOARDS = {"overview.json": OVERVIEW}


def files() -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    return {name: f"{json.dumps(board.json(), indent=2)}\n" for name, board in _DASHBOARDS.items()}


def main() -> None:
    """Write the dashboards."""
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
