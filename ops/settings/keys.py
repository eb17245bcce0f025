"""Keys made on first start, kept in OSTIARY_HOME, readable by their owner only."""

import os
import secrets
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from ops.settings.read import KEYS_FILE, read_env_file


def new_keys() -> str:
    """Return lines for `.env`: a secret key whose id is today, and a token for /ops."""
    key = b64encode(os.urandom(32)).decode()
    return f"SECRET_KEYS=k{datetime.now(UTC):%Y%m%d}:{key}\nOPS_TOKEN={secrets.token_urlsafe(32)}\n"


def keep_keys(home: Path) -> bool:
    """Make the keys of an installation unless it has some; return whether they are new."""
    path = home / KEYS_FILE
    if read_env_file(path).get("SECRET_KEYS"):
        return False
    write_private(
        path, f"# Without these keys the database cannot be read. Keep a copy.\n{new_keys()}"
    )
    return True


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
