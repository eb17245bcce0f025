"""Disks of limited size, and how they get full."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEGABYTE = 1 << 20


def _may_mount() -> bool:
    """Say whether we may mount a file system of limited size here."""
    return os.geteuid() == 0 and _mount("/mnt", 1) and _unmount("/mnt")


def _mount(folder: Path | str, megabytes: int) -> bool:
    size = f"size={megabytes}m,mode=755"
    command = ["mount", "-t", "tmpfs", "-o", size, "ostiary-test", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _unmount(folder: Path | str) -> bool:
    command = ["umount", "-l", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


small_disk = pytest.mark.skipif(
    not _may_mount(), reason="only root with the right to mount can make a disk that gets full"
)


@contextmanager
def small_home(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give a home on a disk of its own, with so many megabytes."""
    folder.mkdir()
    assert _mount(folder, megabytes)
    try:
        yield folder / "home"
    finally:
        _unmount(folder)


@contextmanager
def filled(folder: Path, left: int = 0) -> Iterator[Callable[[], None]]:
    """Fill the disk of a folder up to `left` bytes; give a function that fills it once more."""
    ballast = folder / "ballast"

    def fill() -> None:
        with ballast.open("ab", buffering=0) as file:
            for size in (MEGABYTE, 4_096):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue
            if left:
                file.truncate(max(file.tell() - left, 0))

    fill()
    try:
        yield fill
    finally:
        ballast.unlink()
