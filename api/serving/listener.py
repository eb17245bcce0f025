"""The socket everybody answers on, bound once."""

import errno
import socket

from ops.ports import holder

_BACKLOG = 1_024


class CannotListen(Exception):  # noqa: N818 - read as a sentence where it is caught
    """The address cannot be bound; the message names the cure."""


def listen(host: str, port: int) -> socket.socket:
    """Return the listening, inheritable socket; raise CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        raise CannotListen(_cure(host, port, error)) from error
    sock.setblocking(False)
    sock.set_inheritable(True)
    return sock


def _cure(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        pid = holder(port)
        by = f"by pid {pid}; set PORT or stop it" if pid else "; set PORT or stop who has it"
        return f"PORT {port} is taken {by}"
    if number == errno.EACCES:
        return f"PORT {port} needs more rights than we have; set PORT to 1024 or more"
    return f"HOST {host} cannot be listened on ({error}); set HOST, such as 127.0.0.1 or 0.0.0.0"
