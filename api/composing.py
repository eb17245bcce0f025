"""NFC without its price: composing takes the square of a run of combining marks.

Sixty thousand marks in a row would keep a process from everybody for seconds; no script needs more
than thirty (UAX #15, section 13, the Stream-Safe Text Format).
"""

import unicodedata

_MAX_MARKS = 30
# No text becomes shorter than this part of itself by being composed.
_SHRINKS = 4


def is_composable(text: str, *, longest: int) -> bool:
    """Say whether NFC of a text is cheap, and may leave at most `longest` characters."""
    if len(text) > _SHRINKS * longest:
        return False
    if text.isascii():
        return True
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MAX_MARKS:
            return False
    return True
