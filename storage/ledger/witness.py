"""Checkpoints kept outside the database: what is cut off there is missed here."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from storage.ledger.checkpoints import Checkpoint

_NAME = "audit-checkpoints.jsonl"


class Witness:
    """A file under OSTIARY_HOME, one checkpoint a line; copy it to where we cannot reach it."""

    def __init__(self, home: Path) -> None:
        self._path = home / _NAME

    def keep(self, checkpoint: Checkpoint) -> bool:
        """Append a checkpoint, on disk when this returns; False when it is the last one there."""
        line = json.dumps(checkpoint.shown()).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            end = os.pread(descriptor, len(line) + 1, max(0, size - len(line) - 1))
            # Compared with the last line alone: one of a number beyond all others, which somebody
            # put there, does not keep us from writing.
            if end in {line, b"\n" + line}:
                return False
            # A line that a crash has cut is not made longer.
            cut = end and not end.endswith(b"\n")
            os.write(descriptor, b"\n" + line if cut else line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def kept(self) -> Sequence[Checkpoint]:
        """Return every checkpoint in the file, oldest first; lines that are none are left out.

        A crash may have cut one, and others can write here: a number beyond all numbers, brackets
        within brackets.
        """
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(Checkpoint.read(json.loads(line)))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
        return found
