"""Ids as requests spell them: in hexadecimal with four hyphens, in whatever case."""

import re
from uuid import UUID

from ops.errors import Problem

PATTERN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# Not every form that Python takes: braces, urn:uuid:, no hyphens, digits of other scripts.
_ID = re.compile(PATTERN, re.ASCII | re.IGNORECASE)


def is_id(text: str) -> bool:
    """Say whether a text is spelt as an id, whether anything has it or not."""
    return _ID.fullmatch(text) is not None


def id_of(text: str, missing: type[Problem]) -> UUID:
    """Read an id out of a path; raise `missing`, as for what is not there, for what is none."""
    if not is_id(text):
        raise missing
    return UUID(text)
