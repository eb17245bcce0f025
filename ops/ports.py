"""Who holds a TCP port: so that an error can name the process to stop."""

from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def holder(port: int) -> int | None:
    """Return the process id that listens on a port, None where the system does not tell."""
    inodes = _inodes(port)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for link in folder.iterdir():
                if str(link.readlink()) in inodes:
                    return int(folder.parent.name)
    return None


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found
