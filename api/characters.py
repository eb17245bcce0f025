"""Characters that one line of text, such as a name, may be made of."""

import unicodedata
from itertools import pairwise

# They part words in Persian, and join letters of Sinhala and emoji (Unicode 23.2).
JOINERS = frozenset("\u200c\u200d")

_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_VIRAMA = 9


def is_control(character: str) -> bool:
    """Say whether it controls, turns or hides what is around it; joiners are of this kind too."""
    return unicodedata.category(character) in _CONTROLS


def are_joined(text: str) -> bool:
    """Say whether every joiner of a text stands alone between two characters that are no spaces.

    After a virama it may end a word, as older spellings of Malayalam do (RFC 5892, appendix A).
    """
    before = ""
    for one, after in pairwise(f"{text} "):
        if one in JOINERS:
            ends_word = bool(before) and unicodedata.combining(before) == _VIRAMA
            if not before or before.isspace() or before in JOINERS or after in JOINERS:
                return False
            if after.isspace() and not ends_word:
                return False
        before = one
    return True
