"""Letters: a text and an HTML template per kind and locale, made into one multipart message."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    select_autoescape,
)

from ops.request_ids import may_be_told
from ops.settings import Settings
from workers.mailer import sender_domain

FOLDER = Path(__file__).parent / "templates"
FALLBACK_LOCALE = "en"

# What separates one address from the next, quotes a name or opens an encoded word: Python's email
# package drops the quotes of a name that it folds, and "Ada, x@example.com," became two addresses.
_STRUCTURE = dict.fromkeys(map(ord, '()<>[]:;@\\,."=?'), " ")
# One that fits into a header in one line, whoever chose it.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,60}")
# Directional controls could make a name read as something else (Unicode TR 36).
_HIDDEN = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
# They print nothing, but names in Persian and Sinhala, and families of emoji, fall apart without.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a letter says and to whom; facts are filled into the template, escaped."""

    id: UUID
    template: str
    to_address: str
    to_name: str
    locale: str
    facts: dict[str, Any] = field(repr=False)
    # The request that it comes from; for whoever asks us about it.
    request_id: str | None = None


class Letters:
    """Makes messages of letters."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def compose(self, letter: Letter) -> EmailMessage:
        """Return the message: text and HTML, a Message-ID that is the same on every try."""
        facts = {key: _clean(value) for key, value in letter.facts.items()}
        facts |= {"product": self._settings.product_name, "base_url": self._settings.base_url}
        text = self._render(letter, "txt", facts)
        subject, _, body = text.partition("\n")
        message = EmailMessage(policy=SMTP)
        message["Subject"] = " ".join(subject.removeprefix("Subject:").split())
        message["From"] = self._sender()
        message["To"] = Address(_name(letter.to_name), addr_spec=letter.to_address)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{letter.id}@{sender_domain(self._settings)}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Ostiary-Template"] = letter.template
        request_id = letter.request_id or ""
        if _REQUEST_ID.fullmatch(request_id) and may_be_told(request_id):
            message["X-Request-Id"] = request_id
        message.set_content(body.lstrip("\n"))
        message.add_alternative(
            self._render(letter, "html", facts | {"subject": message["Subject"]}), subtype="html"
        )
        return message

    def _sender(self) -> Address:
        name, address = parseaddr(self._settings.mail_from)
        return Address(_one_line(name), addr_spec=address)

    def _render(self, letter: Letter, kind: str, facts: dict[str, Any]) -> str:
        for locale in dict.fromkeys((letter.locale, FALLBACK_LOCALE)):
            try:
                template = self._environment.get_template(f"{locale}/{letter.template}.{kind}")
            except TemplateNotFound:
                continue
            return template.render(facts | {"locale": locale})
        raise TemplateNotFound(letter.template)


def _clean(value: Any) -> Any:
    return _one_line(value) if isinstance(value, str) else value


def _name(text: str) -> str:
    return " ".join(_one_line(text).translate(_STRUCTURE).split())


def _one_line(text: str) -> str:
    shown = text.translate(_HIDDEN)
    kept = (mark if mark.isprintable() or mark in _JOINERS else " " for mark in shown)
    return " ".join("".join(kept).split())
