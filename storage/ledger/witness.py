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
        kept = self.kept()
        if kept and kept[-1].sequence >= checkpoint.sequence:
            return False
        line = json.dumps(checkpoint.shown()) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def kept(self) -> Sequence[Checkpoint]:
        """Return every checkpoint in the file, oldest first; a line cut by a crash is left out."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Checkpoint.read(json.loads(line)))
            except (ValueError, KeyError, TypeError):
                continue
        return found
