"""Ways a job can fail that its actor knows best: for good, or through nobody's fault."""


class GivenUp(Exception):  # noqa: N818 - read as a sentence where it is raised
    """Trying again would not help; the promise is buried at once, with this reason."""


class ServerAway(Exception):  # noqa: N818 - read as a sentence where it is raised
    """A server outside cannot be reached: not this job's fault, so its whole queue waits."""


class RefusedForNow(RuntimeError):  # noqa: N818 - read as a sentence where it is raised
    """A server outside refuses this job at the moment; it may take it later."""


class LeftMidway(ServerAway):
    """The server fell silent in the middle of this very job, which may be what it stumbles over."""


def one_line(text: str, limit: int) -> str:
    """Return what somebody else said as one printable line that PostgreSQL and logs can take."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:limit]
