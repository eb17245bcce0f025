"""Ids of requests: those of commands name a person on our machine, and stay in the house."""

OF_COMMANDS = "command-"


def may_be_told(request_id: str) -> bool:
    """Whether an id may leave in a letter or a report."""
    return not request_id.startswith(OF_COMMANDS)
