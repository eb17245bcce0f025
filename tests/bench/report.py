"""Writes figures down: a table for people at a terminal, docs/BENCHMARKS.md for everybody else."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.cases import Case
from tests.bench.measure import CONTROL, Figures

_LIMIT_MS = 10.0
_SHARES = (0.5, 0.9, 0.99, 1.0)
_KINDS = {
    "cursor": "By cursor, at every depth, in every order and direction",
    "page": "By page",
    "filter": "Filters",
    "search": "Search",
}
_HEAD = (
    "| case | first | p50 | p99 | 100th call | HTTP p50 | HTTP p99 |\n|---|---|---|---|---|---|---|"
)


def row(case: Case, floor: Figures, http: Figures) -> str:
    """Return the row of a case; what is over the promised 10 ms is marked."""
    late = case.promised and floor.percentile(0.99) > _LIMIT_MS
    cells = (floor.first, floor.percentile(0.5), floor.percentile(0.99), floor.hundredth)
    over = (http.percentile(0.5), http.percentile(0.99))
    figures = " | ".join(f"{value:.1f}" for value in (*cells, *over))
    return f"| {case.name}{' (!)' if late else ''} | {figures} |"


def summary(cases: Sequence[Case], floor: dict[str, Figures], http: dict[str, Figures]) -> str:
    """Return one line a kind: how many cases, the median and the worst p99 of them."""
    lines = ["| kind | cases | p99 over 10 ms | median p99 | worst p99 | HTTP median p99 |"]
    lines += ["|---|---|---|---|---|---|"]
    for kind in _KINDS:
        names = [case.name for case in cases if case.kind == kind and case.promised]
        p99 = sorted(floor[name].percentile(0.99) for name in names)
        over = sorted(http[name].percentile(0.99) for name in names)
        late = sum(value > _LIMIT_MS for value in p99)
        middle = len(names) // 2
        lines.append(
            f"| {kind} | {len(names)} | {late} | {p99[middle]:.1f} | {p99[-1]:.1f} |"
            f" {over[middle]:.1f} |"
        )
    return "\n".join([*lines, "", _control(floor[CONTROL], http[CONTROL])])


def _control(floor: Figures, http: Figures) -> str:
    told = [
        " / ".join(f"{figures.percentile(share):.1f}" for share in _SHARES)
        for figures in (floor, http)
    ]
    return (
        "The shortest question meanwhile (`SELECT 1`, GET /health), p50 / p90 / p99 / longest:"
        f" {told[0]}, over HTTP {told[1]}. What its slowest answers take, the machine takes of"
        " every list."
    )


def lists(  # noqa: PLR0913 - the parts of one section
    *,
    cases: Sequence[Case],
    floor: dict[str, Figures],
    http: dict[str, Figures],
    users: int,
    rounds: int,
    server: str,
    load: float,
) -> str:
    """Return the section of lists: machine, versions, parameters, figures."""
    parameters = (
        f"- {datetime.now(UTC):%Y-%m-%d}, {_machine()}; load {load:.1f} when it began,"
        f" {os.getloadavg()[0]:.1f} when it ended: above the number of cores, p99 is what others"
        " took\n"
        f"- {server}, Python {platform.python_version()}, the embedded servers as `make up` runs"
        " them\n"
        f"- {users:,} users of `python -m storage seed`, {rounds} calls a case, one after the"
        " other, the cases in turn; milliseconds\n"
        "- the repository: its statements alone; HTTP: one web process, one connection,"
        " an admin's token, each list written to the audit inbox"
    )
    parts = [
        parameters,
        summary(cases, floor, http),
    ]
    for kind, title in _KINDS.items():
        rows = [row(case, floor[case.name], http[case.name]) for case in cases if case.kind == kind]
        parts += [f"### {title}", "\n".join([_HEAD, *rows])]
    return "\n\n".join(parts)


def about(parameters: str) -> str:
    """Return what a row of the pipeline was measured on, and how."""
    return (
        f"- {datetime.now(UTC):%Y-%m-%d}, {_machine()}; load {os.getloadavg()[0]:.1f} when it"
        f" ended, our own processes included\n- Python {platform.python_version()}, the embedded"
        f" servers as `make up` runs them; {parameters}\n\n"
    )


def table(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return rows of what, figure and goal."""
    lines = ["| what | measured | goal |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB"
