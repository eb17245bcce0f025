"""What process trees spend and weigh, and what others take of the machine, read from /proc.

A tree is a process and all that came of it; children that ended count, since their parent's times
have theirs once it has waited for them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
# Of /proc/<pid>/stat, counted from the state behind the name in parentheses.
_PARENT = 1
_TIMES = slice(11, 15)  # utime, stime, cutime, cstime
# Of the first line of /proc/stat: what nobody used.
_IDLE = (3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a tree weighs in MB: its largest process, and all of it, what is shared counted once."""

    processes: int
    largest: float
    pss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """CPU seconds of all cores since the start: those in use, and all there were."""

    busy: float
    total: float


def tree(roots: Iterable[int]) -> set[int]:
    """Return the processes, and all that came of them and still run."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return what the trees have spent, user and system."""
    wanted = tree(roots)
    ticks = (sum(map(int, fields[_TIMES])) for pid, fields in _processes() if pid in wanted)
    return sum(ticks) / _TICKS


def memory(roots: Iterable[int]) -> Memory:
    """Return what the trees weigh now."""
    found = [_rollup(pid) for pid in tree(roots)]
    weights = [weight for weight in found if weight]
    return Memory(
        processes=len(weights),
        largest=max((weight["Rss"] for weight in weights), default=0) / 1024,
        pss=sum(weight["Pss"] for weight in weights) / 1024,
    )


def machine() -> Machine:
    """Return what the whole machine has spent."""
    first = (_PROC / "stat").read_text().partition("\n")[0]
    # The last two are guests, which are counted among the first ones already.
    ticks = [int(field) for field in first.split()[1:9]]
    idle = sum(ticks[index] for index in _IDLE)
    return Machine(busy=(sum(ticks) - idle) / _TICKS, total=sum(ticks) / _TICKS)


def _processes() -> Iterable[tuple[int, list[str]]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            yield int(folder.name), text.rpartition(") ")[2].split()


def _rollup(pid: int) -> dict[str, int]:
    """Return Rss and Pss in kB; nothing of a process that has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split() for line in lines[1:])
    sizes = {name.rstrip(":"): int(size) for name, size, *_ in pairs}
    return sizes if "Rss" in sizes else {}
