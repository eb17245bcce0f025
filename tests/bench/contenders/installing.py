"""Environments of others, made once and kept: $OSTIARY_BENCH_HOME, else the user's cache."""

import os
import sys
from pathlib import Path

from tests.bench.contenders.command import NotStarted, done
from tests.bench.contenders.contender import NotHere


def kept() -> Path:
    """Return the folder that stays between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("OSTIARY_BENCH_HOME") or cache / "ostiary" / "bench")


async def from_pypi(folder: Path, *packages: str) -> Path:
    """Return the programs of an environment with these packages; raise NotHere."""
    programs = folder / "bin"
    if _has(folder, packages):
        return programs
    uv = Path(sys.executable).with_name("uv")
    try:
        await done(uv, "venv", "--clear", "--python", sys.executable, folder, folder=folder.parent)
        python = programs / "python"
        # Compiled now, as pip does: else every start would be slower than anybody's.
        how = ("--python", python, "--compile-bytecode")
        await done(uv, "pip", "install", *how, *packages, folder=folder)
    except (OSError, NotStarted) as error:
        raise NotHere(str(error)) from error
    _mark(folder, packages)
    return programs


async def from_npm(folder: Path, *packages: str) -> Path:
    """Return the folder these packages are installed in; raise NotHere."""
    if _has(folder, packages):
        return folder
    try:
        how = ("--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel", "error")
        await done("npm", "install", *how, *packages, folder=folder)
    except (OSError, NotStarted) as error:
        raise NotHere(str(error)) from error
    _mark(folder, packages)
    return folder


def _has(folder: Path, packages: tuple[str, ...]) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "installed.txt"
    return mark.exists() and mark.read_text() == "\n".join(packages)


def _mark(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / "installed.txt").write_text("\n".join(packages))
