"""Hands letters over: to an SMTP server, or to a folder of .eml files in development."""

import asyncio
import os
import re
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from ops.settings import Settings
from workers.outcomes import GivenUp, LeftMidway, RefusedForNow, ServerAway, one_line

# Arriving may take so long, handing over too: with the 15 seconds between two probes, letters leave
# within a minute of their server's return, and a try ends before its job's time does.
_TIMEOUT_SECONDS = 20.0
_FAREWELL_SECONDS = 2.0
_ANSWER_LENGTH = 200
# Hidden before the answer is cut: half an address would not be known for one.
_LISTENED_LENGTH = 2_000
# In links that servers send along, %40 is the sign. The repetitions are bounded or cannot fail
# late: a long hostile answer must not cost a second.
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)*")
_REFUSED_FOR_NOW = range(400, 500)
_REFUSED_FOR_GOOD = range(500, 600)
# Answers that speak of the server or of our account, not of the letter (RFC 5321, 4.2.3; RFC 4954).
_SERVER_CODES = frozenset({421, 454, 530, 535})


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
        """Write the letter whole or not at all; raise ServerAway when the disk refuses."""
        try:
            return await asyncio.to_thread(self._write, letter)
        except OSError as error:  # a full disk refuses every letter alike
            raise ServerAway(_said(error)) from error

    def _write(self, letter: EmailMessage) -> str:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = letter["Message-ID"].strip("<>").partition("@")[0]
        path = self._folder / f"{name}.eml"
        unfinished = path.with_suffix(".part")
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(letter.as_bytes(policy=SMTP))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)  # half a letter would keep the disk full
            raise
        return f"kept as {path.name}"


class SmtpMailer:
    """Speaks SMTP as SMTP_URL says: smtp:// with starttls=required|optional|off, or smtps://.

    Without `starttls`, it is required where there is a password to protect, else optional; a word
    that we do not know means required. `cafile=` names certificates to trust besides the system's,
    `timeout=` the seconds that arriving and handing over may take each: 20, or less.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._implicit_tls = parts.scheme == "smtps"
        default = "required" if parts.username else "optional"
        # aiosmtplib's words: True demands it, False forbids it, None takes it where offered.
        self._starttls = {"optional": None, "off": False}.get(
            options.get("starttls", [default])[0], True
        )
        self.timeout = _patience(options.get("timeout", [""])[0])
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
            async with asyncio.timeout(self.timeout):
                _, answer = await client.send_message(letter)
            # It has the letter by now: not even our own stop may lose that.
            with suppress(aiosmtplib.SMTPException, OSError, asyncio.CancelledError):
                await client.quit(timeout=_FAREWELL_SECONDS)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _verdict(error.recipients[0], letter) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _verdict(error, letter) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise GivenUp(_said(error, letter)) from error
        except OSError as error:  # aiosmtplib's time-outs and disconnections among them
            raise LeftMidway(_said(error, letter)) from error
        finally:
            client.close()
        return _discreet(answer, letter)

    async def probe(self) -> None:
        """Connect and sign in, no more; raise ServerAway."""
        client = self._client()
        try:
            await self._connect(client)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self.timeout,
            use_tls=self._implicit_tls,
            start_tls=False if self._implicit_tls else self._starttls,
            tls_context=self._context,
        )

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        try:
            async with asyncio.timeout(self.timeout):
                await client.connect()
                await self._greet(client)
                if self._username is not None:
                    await client.login(self._username, self._password or "")
        except (aiosmtplib.SMTPException, OSError) as error:  # no letter is to blame for these
            raise ServerAway(_said(error)) from error

    @staticmethod
    async def _greet(client: aiosmtplib.SMTP) -> None:
        if client.is_ehlo_or_helo_needed:
            try:
                await client.ehlo()
            except aiosmtplib.SMTPHeloError:
                await client.helo()


def _verdict(error: aiosmtplib.SMTPResponseException, letter: EmailMessage) -> Exception:
    said = _discreet(f"{error.code} {error.message}", letter)
    if error.code in _SERVER_CODES:
        return ServerAway(said)
    if error.code in _REFUSED_FOR_GOOD:
        return GivenUp(said)
    if error.code in _REFUSED_FOR_NOW:
        return RefusedForNow(said)
    return LeftMidway(said)  # no answer of this protocol, or none that belongs here


def _patience(seconds: str) -> float:
    with suppress(ValueError):
        if 0 < float(seconds) <= _TIMEOUT_SECONDS:
            return float(seconds)
    return _TIMEOUT_SECONDS


def _said(error: Exception, letter: EmailMessage | None = None) -> str:
    return _discreet(f"{type(error).__name__}: {error}", letter)


def _discreet(said: str, letter: EmailMessage | None = None) -> str:
    """Return what a server said without people's addresses.

    It is kept with the job, which outlives the person, and shown to whoever may look at jobs.
    """
    recipients = _addresses(letter, "To")
    ours = (*_addresses(letter, "From"), letter["Message-ID"].strip("<>") if letter else "")

    def hidden(found: re.Match[str]) -> str:
        address = found[0].lower().replace("%40", "@")
        if address in ours:
            return found[0]
        # A link has more in front of it: `?id=ada%40example.com`.
        return "[recipient]" if address.endswith(recipients) else "[address]"

    return one_line(_ADDRESS.sub(hidden, one_line(said, _LISTENED_LENGTH)), _ANSWER_LENGTH)


def _addresses(letter: EmailMessage | None, header: str) -> tuple[str, ...]:
    return tuple(each.addr_spec.lower() for each in letter[header].addresses) if letter else ()


def make_mailer(settings: Settings) -> Mailer:
    """Return the mailer that the settings ask for."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url)
    return FolderMailer(settings.home / "mail")


def sender_domain(settings: Settings) -> str:
    """Return the domain of MAIL_FROM, which Message-IDs carry."""
    return parseaddr(settings.mail_from)[1].partition("@")[2] or "localhost"
