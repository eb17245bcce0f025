"""Characters that one line of text, such as a name, may be made of."""

import unicodedata
from itertools import pairwise

# They part words in Persian, and join letters of Sinhala and emoji (Unicode 23.2).
JOINERS = frozenset("\u200c\u200d")

_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_VISIBLE = frozenset("LNPS")
# Letters and symbols that show nothing: fillers of Hangul, Braille without dots, an object that is
# not there, a note without a head.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159")
_VIRAMA = 9
_NEVER_JOINED = frozenset({"LATIN", "GREEK", "CYRILLIC"})
# Where Unicode adds emoji and ideographs of names every year: Python may be older than they are.
_GROWING = ((0x1F000, 0x1FAFF), (0x20000, 0x3FFFF))
_NONCHARACTER = 0xFFFE


def is_control(character: str) -> bool:
    """Say whether it controls, turns or hides what is around it; joiners are of this kind too."""
    return unicodedata.category(character) in _CONTROLS


def is_unknown(character: str) -> bool:
    """Say whether Unicode has no such character, nor soon will."""
    code = ord(character)
    if unicodedata.category(character) != "Cn":
        return False
    return code & _NONCHARACTER == _NONCHARACTER or not _is_growing(code)


def is_visible(character: str) -> bool:
    """Say whether there is something to be seen of it alone."""
    if unicodedata.category(character)[0] in _VISIBLE:
        return character not in _BLANKS
    return _is_growing(ord(character)) and not is_unknown(character)


def are_joined(text: str) -> bool:
    """Say whether every joiner of a text stands alone between two characters it can join.

    After a virama it may end a word, as older spellings of Malayalam do (RFC 5892, appendix A). In
    scripts whose letters never join it would only make two texts that look the same.
    """
    before = ""
    for one, after in pairwise(f"{text} "):
        if one in JOINERS:
            ends_word = bool(before) and unicodedata.combining(before) == _VIRAMA
            if not before or before.isspace() or before in JOINERS or after in JOINERS:
                return False
            if after.isspace() and not ends_word:
                return False
            if _stands_alone(before) or _stands_alone(after):
                return False
        before = one
    return True


def _stands_alone(character: str) -> bool:
    script = unicodedata.name(character, "").partition(" ")[0]
    return (character.isascii() and not character.isspace()) or script in _NEVER_JOINED


def _is_growing(code: int) -> bool:
    return any(first <= code <= last for first, last in _GROWING)
