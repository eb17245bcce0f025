"""Hands letters over: to an SMTP server, or to a folder of .eml files in development."""

import asyncio
import os
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from ops.settings import Settings
from workers.outcomes import GivenUp, ServerAway

_TIMEOUT_SECONDS = 20.0
_PERMANENT = 500
# Temporary answers that speak of the server, not of the letter (RFC 5321, section 4.2.3).
_SERVER_CODES = frozenset({421})


class Mailer(Protocol):
    """Something that takes letters."""

    async def send(self, letter: EmailMessage) -> str:
        """Hand a letter over, return what the other side said.

        Raises ServerAway when nobody answers, GivenUp when the letter is refused for good, any
        other exception when it is refused for now.
        """


class FolderMailer:
    """Writes each letter to a file named after its Message-ID: once more is the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: EmailMessage) -> str:
        """Write the letter whole or not at all; raise OSError when the disk refuses."""
        return await asyncio.to_thread(self._write, letter)

    def _write(self, letter: EmailMessage) -> str:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = letter["Message-ID"].strip("<>").partition("@")[0]
        path = self._folder / f"{name}.eml"
        unfinished = path.with_suffix(".part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(letter.as_bytes(policy=SMTP))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        return f"kept as {path.name}"


class SmtpMailer:
    """Speaks SMTP as SMTP_URL says: smtp:// with starttls=required|optional|off, or smtps://."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._implicit_tls = parts.scheme == "smtps"
        self._starttls = {"required": True, "off": False}.get(options.get("starttls", [""])[0])
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (465 if self._implicit_tls else 587)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._context = ssl.create_default_context()
        if ca_file := options.get("cafile", [""])[0]:
            self._context.load_verify_locations(ca_file)

    async def send(self, letter: EmailMessage) -> str:
        """Hand the letter over in a connection of its own."""
        client = self._client()
        try:
            await self._connect(client)
            _, answer = await client.send_message(letter)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
            raise ServerAway(f"{type(error).__name__}: {error}") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _verdict(error.recipients[0]) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _verdict(error) from error
        finally:
            client.close()
        return answer[:200]

    async def probe(self) -> None:
        """Connect and sign in, no more; raise ServerAway."""
        client = self._client()
        try:
            await self._connect(client)
        except OSError as error:
            raise ServerAway(f"{type(error).__name__}: {error}") from error
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=_TIMEOUT_SECONDS,
            use_tls=self._implicit_tls,
            start_tls=False if self._implicit_tls else self._starttls,
            tls_context=self._context,
        )

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.connect()
            if self._username is not None:
                await client.login(self._username, self._password or "")
        except aiosmtplib.SMTPException as error:  # no letter is to blame for any of this
            raise ServerAway(f"{type(error).__name__}: {error}") from error


def _verdict(error: aiosmtplib.SMTPResponseException) -> Exception:
    said = f"{error.code} {error.message}"[:200]
    if error.code >= _PERMANENT:
        return GivenUp(said)
    if error.code in _SERVER_CODES:
        return ServerAway(said)
    return RuntimeError(said)


def make_mailer(settings: Settings) -> Mailer:
    """Return the mailer that the settings ask for."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url)
    return FolderMailer(settings.home / "mail")


def sender_domain(settings: Settings) -> str:
    """Return the domain of MAIL_FROM, which Message-IDs carry."""
    return parseaddr(settings.mail_from)[1].partition("@")[2] or "localhost"
