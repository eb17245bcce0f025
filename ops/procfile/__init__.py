"""Runs the Procfile's processes and stops them together.

A Procfile (as honcho reads it) has one `name: command` a line. `release` runs once, before the
others; each other one runs as often as the formation says, its output prefixed with its name, and
is started again when it ends. Commands are plain ones: they replace their shell, so that signals
reach them and not the shell.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ops.procfile.process import ProcessType
from ops.procfile.supervisor import RELEASE, Supervisor

__all__ = ["ProcessType", "ProcfileError", "Supervisor", "parse_formation", "read"]

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")


class ProcfileError(ValueError):
    """The Procfile cannot be read; the text names the line."""


def read(path: Path) -> list[ProcessType]:
    """Read a Procfile; ProcfileError names the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProcfileError(f"{path} cannot be read: {error}") from error
    types: dict[str, ProcessType] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = _LINE.fullmatch(text)
        if parts is None:
            raise ProcfileError(f"{path} line {number}: expected `name: command`, found {text!r}")
        if parts[1] in types:
            raise ProcfileError(f"{path} line {number}: {parts[1]!r} is declared twice")
        types[parts[1]] = ProcessType(parts[1], parts[2])
    return list(types.values())


def parse_formation(specs: Iterable[str], types: Sequence[ProcessType]) -> dict[str, int]:
    """Read how many of each process to run ("web=2"); those not named are to run once."""
    known = [one.name for one in types if one.name != RELEASE]
    formation = {}
    for spec in specs:
        name, _, count = spec.partition("=")
        if name not in known:
            raise ValueError(f"Unknown process type {name!r}: known are {', '.join(known)}.")
        if not (count.isascii() and count.isdigit()):
            raise ValueError(f"{spec!r} is no number of processes: write it like `{name}=2`.")
        formation[name] = int(count)
    return formation
