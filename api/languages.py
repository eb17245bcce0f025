"""Language tags of BCP 47, written one way, whatever way they came in."""

import re
from typing import Any

from api.schemas import Text

# RFC 5646, section 2.1, with only the primary languages that are registered or ever will be: two or
# three letters.
_LANGUAGE = re.compile(
    r"(?P<language>[a-z]{2,3})(?P<extended>(?:-[a-z]{3}){0,3})"
    r"(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)(?P<private>(?:-x(?:-[a-z0-9]{1,8})+)?)"
)
_LANGUAGE_LENGTH = 35  # RFC 5646, section 4.4.1


class Language(Text):
    """A well-formed language tag (BCP 47), its subtags in the case they are usually written."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Write a language tag of BCP 47, such as en or de-AT."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": _LANGUAGE_LENGTH}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        found = None
        if len(text) <= _LANGUAGE_LENGTH and text.isascii():  # lower() makes ASCII of other signs
            found = _LANGUAGE.fullmatch(text.lower())
        if found is None or _is_repetitive(found):
            raise self.make_error("invalid")
        script, region = found["script"], found["region"]
        middle = (f"-{script.title()}" if script else "") + (f"-{region.upper()}" if region else "")
        rest = found["variants"] + found["extensions"] + found["private"]
        return found["language"] + found["extended"] + middle + rest


def _is_repetitive(tag: re.Match[str]) -> bool:
    """Say whether a variant or an extension is there twice (RFC 5646, section 2.2.9)."""
    variants = tag["variants"].split("-")[1:]
    extensions = [item for item in tag["extensions"].split("-") if len(item) == 1]
    return any(len(set(found)) < len(found) for found in (variants, extensions))
