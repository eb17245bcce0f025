"""A real SMTP server that keeps what it is given, and servers that behave badly."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.factories import free_port

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Sink:
    """Takes letters, or answers each command as told; `delay` is waited for in DATA."""

    answers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    port: int = 0
    begun: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens, without any encryption."""
        return f"smtp://127.0.0.1:{self.port}?starttls=off"

    @property
    def ids(self) -> list[str]:
        """The Message-IDs of what came, in order."""
        return [str(letter["Message-ID"]) for letter in self.letters]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _: Any, __: Any, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Take the sender."""
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: Any, __: Any, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Take a recipient."""
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _: Any, session: Any, envelope: Envelope
    ) -> str:
        """Take the letter."""
        self.begun += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        answer = self.answers.get("DATA", "250 taken")
        if answer.startswith("2"):
            content = cast(bytes, envelope.content)
            letter = email.message_from_bytes(content, policy=default)
            self.letters.append(cast(EmailMessage, letter))
            self.recipients.append(envelope.rcpt_tos)
            self.encrypted.append(session.ssl is not None)
        return answer

    def sign_in(self, _: Any, __: Any, ___: Any, ____: str, data: LoginPassword) -> AuthResult:
        """Let in whoever knows the password."""
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right p@ss", handled=False)


class _InThread(Controller):
    """The server on a thread of its own: tests block their own loop as they like."""

    def __init__(
        self, sink: Sink, port: int, implicit: ssl.SSLContext | None, options: Any
    ) -> None:
        super().__init__(sink, hostname="127.0.0.1", port=port, ssl_context=implicit)
        self.options = options

    def factory(self) -> SMTP:
        """Make the protocol of one connection."""
        return SMTP(self.handler, **self.options)


@asynccontextmanager
async def listening(
    sink: Sink, *, port: int = 0, implicit: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Sink]:
    """Run the sink on a port of 127.0.0.1, a free one unless told.

    `options` are those of aiosmtpd's SMTP.
    """
    controller = _InThread(sink, port or free_port(), implicit, options)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


@asynccontextmanager
async def speaking(speak: Speak) -> AsyncIterator[str]:
    """Run a server that says what `speak` writes; give its address as an SMTP_URL."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            await speak(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"smtp://127.0.0.1:{port}?starttls=off"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
