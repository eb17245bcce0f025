"""Letters kept as files in development."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from ops.errors import Kind, Problem
from ops.settings import Environment, Settings

_NAME = re.compile(r"[0-9a-f-]{36}")
_LINK = re.compile(r"(https?://[^\s<>\"]+)")
_SHOWN = 200


class LetterNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such letter in the mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLetter:
    """A letter as the mailbox shows it; `parts` is its text cut at links: (text, is a link)."""

    id: str
    subject: str
    sender: str
    to: str
    date: str
    message_id: str
    parts: list[tuple[str, bool]] = field(repr=False)
    html: str = field(repr=False)


class Mailbox:
    """The folder of letters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> list[KeptLetter]:
        """Return up to 200 letters, newest first: their ids grow with time."""
        names = sorted((path.stem for path in self._folder.glob("*.eml")), reverse=True)
        return [self.letter(name) for name in names[:_SHOWN]]

    def letter(self, letter_id: str) -> KeptLetter:
        """Return a letter; raise LetterNotFound."""
        message = message_from_bytes(self.source(letter_id), _class=EmailMessage, policy=default)
        return KeptLetter(
            id=letter_id,
            subject=str(message["Subject"]),
            sender=str(message["From"]),
            to=str(message["To"]),
            date=str(message["Date"]),
            message_id=str(message["Message-ID"]),
            parts=_cut(_body(message, "plain")),
            html=_body(message, "html"),
        )

    def source(self, letter_id: str) -> bytes:
        """Return the letter as it was written; raise LetterNotFound."""
        try:
            if _NAME.fullmatch(letter_id):
                return (self._folder / f"{letter_id}.eml").read_bytes()
        except FileNotFoundError:
            pass
        raise LetterNotFound


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""


def _cut(text: str) -> list[tuple[str, bool]]:
    return [(piece, index % 2 == 1) for index, piece in enumerate(_LINK.split(text))]


def has_mailbox(settings: Settings) -> bool:
    """Say whether letters are kept as files that may be shown: never in production."""
    return settings.environment is Environment.DEVELOPMENT and not settings.smtp_url
