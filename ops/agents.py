"""What a User-Agent header calls itself, in words that fit into a letter or a list.

The header is whatever the caller writes: it is cut before it is parsed, and stripped after.
"""

import importlib
import unicodedata

UNKNOWN = "Unknown device"

_MAX_PARSED = 300
_MAX_NAME = 60
# Marks that reorder, hide or break what is read: controls, formats (bidi among them), surrogates,
# private use, separators of lines.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def name_of(user_agent: str) -> str:
    """Return "Chrome on Linux", "curl", or "Unknown device"; never more than 60 characters."""
    # The parser and its patterns cost a fifth of a second and 7 MB: only who needs names pays.
    found = importlib.import_module("ua_parser").parse(user_agent[:_MAX_PARSED])
    program = _shown(found.user_agent.family) if found.user_agent else ""
    system = _shown(found.os.family) if found.os else ""
    if program and system:
        return f"{program} on {system}"[:_MAX_NAME].rstrip()
    return program or system or UNKNOWN


def _shown(text: str) -> str:
    visible = "".join(mark for mark in text if unicodedata.category(mark) not in _HIDDEN)
    return " ".join(visible.split())[:_MAX_NAME]
