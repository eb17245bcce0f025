"""Who holds a TCP port, so that an error can name the process to stop; and which one is free."""

import socket
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
# From here on Linux takes ports for outgoing connections.
_FIRST_OUTGOING = 32_768
_STEP = 1_000


def holder(port: int) -> int | None:
    """Return the process id that listens on a port, None where the system does not tell."""
    inodes = _inodes(port)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for link in folder.iterdir():
                if str(link.readlink()) in inodes:
                    return int(folder.parent.name)
    return None


def vacant(usual: int, *, but: int) -> int:
    """Return the usual port of 127.0.0.1 if nobody has it, else a thousand more, and so on.

    `but` is one that somebody will have.
    """
    for port in range(usual, _FIRST_OUTGOING, _STEP):
        if port == but:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    return usual  # All are taken: whoever wants to listen says so best.


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found
