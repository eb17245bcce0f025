"""docs/BENCHMARKS.md: sections that rows replace, a summary on top, pictures beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUMMARY = "Beside the others"
_HEADING = """# Benchmarks

Written by `make bench`; figures of one machine are to be compared among themselves only.
`make bench ROW=beside` runs what is measured beside others (about 40 minutes), `make bench
ROW=login` one row of it. How it is done, and what is fair: [benchmarking.md](benchmarking.md).

"""
_SUMMARY_TEXT = """\
Requests per CPU second of server, PostgreSQL and Redis (core-s), medians, unless a cell says
otherwise; each line is of one run, with everybody in turn. `too noisy`: to be measured again.
"""
_SUMMARY_HEAD = (
    "| operation | PocketBase | Better Auth | fastapi-users | Ostiary | reached | goal | met |",
    "|---|---|---|---|---|---|---|---|",
)
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """The page at a path."""

    path: Path

    def write(self, title: str, text: str) -> None:
        """Put a section in place of what it said; leave the others alone."""
        told = self._sections() | {title: text}
        first = {SUMMARY: told.pop(SUMMARY)} if SUMMARY in told else {}
        parts = [f"## {name}\n\n{said.strip()}\n" for name, said in (first | told).items()]
        self.path.write_text(_HEADING + "\n".join(parts))

    def summarize(self, operation: str, cells: Sequence[str]) -> None:
        """Put a line into the summary in place of the one of the same operation."""
        lines = self._sections().get(SUMMARY, "").splitlines()
        rows = [line for line in lines if line.startswith("| ")][1:]
        known = {row.split(" | ")[0].removeprefix("| "): row for row in rows}
        known[operation] = f"| {operation} | {' | '.join(cells)} |"
        self.write(SUMMARY, "\n".join([_SUMMARY_TEXT, *_SUMMARY_HEAD, *known.values()]))

    def picture(self, key: str, svg: str) -> str:
        """Keep a picture beside the page; return where the page finds it."""
        folder = self.path.parent / "pictures" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.svg").write_text(svg)
        return f"pictures/bench/{key}.svg"

    def _sections(self) -> dict[str, str]:
        found = _SECTION.split(self.path.read_text())[1:] if self.path.exists() else []
        return dict(zip(found[::2], found[1::2], strict=True))


PAGE = Page(Path(__file__).parents[2] / "docs" / "BENCHMARKS.md")
