"""The words of a search as conditions of SQL, each of a kind that an index answers.

A table that can be searched has a column `search_text`: lower case, a space before every word; of
`SPACED` ones also before the parts of addresses, which stand there once more, apart.
"""

import re
from collections.abc import Iterator
from typing import Any

# Tables whose words all start after a space. One LIKE takes a third of a regular expression.
SPACED = frozenset({"users"})
# Elsewhere they start where trigrams see it too: else an index would offer every `example` of an
# address to whoever searches for `ex` at the start of a word.
_STARTS = "[ .@_+-]"
# From this length on a word has a trigram wherever it stands.
_TRIGRAM = 3
_HAS_TRIGRAM = re.compile(r"[^\W_]{3}")

# The signs of a text that are neither letters nor digits of ASCII, nor parts of every address; the
# migration `people` indexes this expression.
_SIGNS = (
    "string_to_array(regexp_replace({table}.search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'),"
    " NULL)"
)
_NO_SIGN = re.compile(r"[a-z0-9 ]|[.@](?=[a-z0-9]|$)")


def conditions(word: str, *, table: str) -> Iterator[tuple[str, Any]]:
    """Give conditions, `$?` for the value, and their values: all must hold.

    A word of one or two letters is looked for where words start, any other one anywhere.
    """
    # Lowered by PostgreSQL, as the text was: Python knows other rules for a few letters.
    short = len(word) < _TRIGRAM and word.isalnum()
    if short and table in SPACED:
        yield f"{table}.search_text LIKE lower($?)", f"% {word}%"
    elif short:
        yield f"{table}.search_text ~ lower($?)", f"{_STARTS}{word}"
    else:
        yield f"{table}.search_text LIKE lower($?)", f"%{literal(word)}%"
    if not _HAS_TRIGRAM.search(word) and (signs := _signs(word)):
        yield f"{_SIGNS.format(table=table)} @> $?::text[]", signs


def literal(word: str) -> str:
    """Return the LIKE pattern that only the word itself matches."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def _signs(word: str) -> list[str]:
    lowered = "".join(sign.lower() for sign in word if len(sign.lower()) == 1)
    return sorted(set(_NO_SIGN.sub("", lowered)))
