"""Passwords for seeded people: made by chance, good under every profile."""

import secrets

# Without what looks alike on a screen.
_SMALL, _LARGE, _DIGITS = "abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789"
_GROUPS, _LENGTH = 4, 5


def new_password() -> str:
    """Return a password of four groups, 20 letters and digits in all: 110 bits of chance."""
    return "-".join(_group() for _ in range(_GROUPS))


def _group() -> str:
    """Return a group with a small letter, a large one and a digit."""
    while True:
        group = "".join(secrets.choice(_SMALL + _LARGE + _DIGITS) for _ in range(_LENGTH))
        if all(set(group) & set(kind) for kind in (_SMALL, _LARGE, _DIGITS)):
            return group
