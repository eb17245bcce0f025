"""Passwords that everybody tries first: 30,000 of them, found under their usual disguises too.

The list is zxcvbn's, read from its source: importing that package would keep five other lists, of
ordinary words and names, in every process.
"""

import ast
import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SOURCE = "frequency_lists.py"
_LIST = re.compile(r' *"passwords": ("[^\n]*")\.split\(","\)')

_EDGES = re.compile(r"([\d\W_]*)(.*?)([\d\W_]*)", re.DOTALL)
# So many digits and signs around a word add too little, whatever they are.
_SHORT_DECORATION = 6
# Longer ones are looked at for repetition only, so that checking stays cheap.
_LONGEST_DISGUISED = 32

# Letters written as what resembles them, 1 and ! once as i and once as l; and Shift held down.
_DISGUISES = (
    str.maketrans("013457@$!", "oieastasi"),
    str.maketrans("013457@$!", "oleastasl"),
    str.maketrans("!@#$%^&*()", "1234567890"),
)


@cache
def common_passwords() -> frozenset[str]:
    """Return the list, in lower case; it is read from disk once a process."""
    spec = find_spec("zxcvbn")
    if spec is None or spec.origin is None:
        raise RuntimeError("zxcvbn is not installed: install requirements.lock")
    with Path(spec.origin).with_name(_SOURCE).open(encoding="utf-8") as lines:
        for line in lines:
            if found := _LIST.match(line):
                return frozenset(ast.literal_eval(found[1]).split(","))
    raise RuntimeError("zxcvbn keeps its passwords elsewhere now: install requirements.lock")


def is_common(password: str) -> bool:
    """Say whether a password is on the list, as it is or disguised.

    Case, digits and signs around, letters written as digits, and repetition hide nothing; a
    password that merely contains a common one among other words is not common.
    """
    return is_one_of(common_passwords(), password)


def is_one_of(words: Collection[str], password: str) -> bool:
    """Say whether a password is one of these folded words, as it is or disguised."""
    found = folded(password)
    if found in words or repeated_part(found) in words:
        return True
    if len(found) > _LONGEST_DISGUISED:
        return False
    return any(form in words for core in _cores(found) for form in _forms(core))


def folded(password: str) -> str:
    """Return the form in which passwords are compared with words: NFKC, without case."""
    return unicodedata.normalize("NFKC", password).casefold()


def repeated_part(text: str) -> str:
    """Return the shortest text that gives this one when it is written again and again."""
    return text[: (text + text).find(text, 1)]


def _cores(password: str) -> Iterator[str]:
    """Give what is left without the digits and signs around it, cut off at every place."""
    found = _EDGES.fullmatch(password)
    if found is None or not found[2]:
        yield _digits(password)
        return
    (first, last), end = found.span(2), len(password)
    for start in range(first + 1):
        for stop in range(last, end + 1):
            if _is_thin(password[:start] + password[stop:], stop - start):
                yield password[start:stop]


def _is_thin(decoration: str, covered: int) -> bool:
    """Say whether decoration adds too little to the characters that it covers."""
    if len(decoration) <= max(_SHORT_DECORATION, covered):
        return True
    return _digits(decoration) in common_passwords()


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _forms(core: str) -> Iterator[str]:
    for plain in (core, *(core.translate(disguise) for disguise in _DISGUISES)):
        yield plain
        yield repeated_part(plain)
