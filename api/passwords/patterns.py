"""Passwords that are long but trivial: repetition, and runs along the alphabet or the keyboard."""

from itertools import pairwise

from api.passwords.blocklist import folded, repeated_part

_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_STEPS = frozenset(step for run in _RUNS for step in pairwise(run))
_SHORT_PART = 4
# Of so many characters at least one must be a surprise.
_SURPRISE_EVERY = 3


def is_trivial(password: str) -> bool:
    """Say whether a password is a short part repeated, or mostly runs such as abcdef or 987654."""
    found = folded(password)
    if len(repeated_part(found)) <= _SHORT_PART:
        return True
    surprises = sum(not _is_step(first, then) for first, then in pairwise(found))
    return surprises * _SURPRISE_EVERY < len(found)


def _is_step(first: str, then: str) -> bool:
    return first == then or (first, then) in _STEPS or (then, first) in _STEPS
