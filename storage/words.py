"""The words of a search as conditions of SQL: one that is true, others that an index answers.

A table that can be searched has a column `search_text`: lower case, a space before every word; of
`SPACED` ones also before the parts of addresses, which stand there once more, apart.
"""

import re
from collections.abc import Sequence
from typing import Any

# Tables whose words all start after a space. One LIKE takes a third of a regular expression.
SPACED = frozenset({"users"})
# Elsewhere they start where trigrams see it too: else an index would offer every `example` of an
# address to whoever searches for `ex` at the start of a word.
_STARTS = "[ .@_+-]"
# From this length on a word has a trigram wherever it stands.
_TRIGRAM = 3
_HAS_TRIGRAM = re.compile(r"[^\W_]{3}")
_RUNS = re.compile(r"[A-Za-z0-9]{3,}")
_NUMBER = re.compile(r"[0-9]{4,}")

# The signs of a text that are neither letters nor digits of ASCII, nor parts of every address; the
# migration `people` indexes this expression.
_SIGNS = (
    "string_to_array(regexp_replace({table}.search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'),"
    " NULL)"
)
_NO_SIGN = re.compile(r"[a-z0-9 ]|[.@](?=[a-z0-9]|$)")

# A condition, `$?` for the value, and the value.
Condition = tuple[str, Any]


def conditions(words: Sequence[str], *, table: str) -> list[Condition]:
    """Return what holds for a text that has all the words, cheap to tell of a row at hand.

    A word of one or two letters is looked for where words start, any other one anywhere.
    """
    return [_at_hand(word, table) for word in words]


def indexed(words: Sequence[str], *, table: str) -> list[Condition]:
    """Return the same in such conditions as an index answers."""
    # Lowered by PostgreSQL, as the text was: Python knows other rules for a few letters.
    like = f"{table}.search_text LIKE lower($?)"
    found: list[Condition] = []
    for word in words:
        whole, asked = f"%{literal(word)}%", _pattern(word)
        if _is_short(word):
            found.append((like, f"% {word}%") if table in SPACED else _at_hand(word, table))
        elif asked == whole:
            found.append((like, whole))
        else:
            found += [(like, asked), _at_hand(word, table)]
        if not _HAS_TRIGRAM.search(word) and (signs := _signs(word)):
            found.append((f"{_SIGNS.format(table=table)} @> $?::text[]", signs))
    return found


def have_trigrams(words: Sequence[str]) -> bool:
    """Tell whether each word has a trigram of its own, whatever the letters of the database."""
    return all(_RUNS.search(word) or (_is_short(word) and word.isascii()) for word in words)


def _at_hand(word: str, table: str) -> Condition:
    if _is_short(word) and table not in SPACED:
        return f"{table}.search_text ~ lower($?)", f"{_STARTS}{word}"
    # Half the price of a LIKE.
    start = " " if _is_short(word) else ""
    return f"strpos({table}.search_text, lower($?)) > 0", f"{start}{word}"


def _is_short(word: str) -> bool:
    return len(word) < _TRIGRAM and word.isalnum()


def _pattern(word: str) -> str:
    """Return a LIKE pattern that a word matches, of few and rare trigrams.

    Many have the same domain. A long number is rare enough alone. Where there are two runs of
    letters, their ends and beginnings (`na `, `  l` of `anna.lee`) only make more to be read.
    """
    # Lowered in pieces, a letter can become another one than in its word: a sigma at the end.
    if not word.isascii():
        return f"%{literal(word)}%"
    local, at, _ = word.partition("@")
    asked = local + at if _RUNS.search(local) else word
    if numbers := _NUMBER.findall(asked):
        return f"%{max(numbers, key=len)}%"
    runs = _RUNS.findall(asked)
    return f"%{'%'.join(runs)}%" if len(runs) > 1 else f"%{literal(asked)}%"


def literal(word: str) -> str:
    """Return the LIKE pattern that only the word itself matches."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def _signs(word: str) -> list[str]:
    lowered = "".join(sign.lower() for sign in word if len(sign.lower()) == 1)
    return sorted(set(_NO_SIGN.sub("", lowered)))
