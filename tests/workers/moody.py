"""A mail server that can go wrong at every point of a conversation, and be well again."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum
from typing import Any, cast

from tests.factories import free_port


class Stage(StrEnum):
    """Where in a conversation a server can go wrong, in the order of a conversation."""

    GREETING = "greeting"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    HANDSHAKE = "handshake"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "end of DATA"
    QUIT = "QUIT"


class Fault(StrEnum):
    """How it goes wrong there."""

    HANGS = "hangs"
    TRICKLES = "says a byte a moment and never ends"
    CLOSES = "closes the connection"
    GARBAGE = "says what is no answer"
    NUMBERS = "says numbers that are no codes"
    ENDLESS = "says a line without an end"
    TOO_EARLY = "says yes before its time"
    NOT_NOW = "refuses for now"
    LEAVING = "says 421 and closes"
    NEVER = "refuses for good"
    EIGHT_BIT = "says yes in bytes of no encoding"


_SAID = {
    Fault.GARBAGE: b"\x16\x03\x01\x00 <html>HTTP/1.1 400 Bad Request</html>\r\n",
    Fault.NUMBERS: b"999 what?\r\n",
    Fault.ENDLESS: b"250-" + b"x" * 100_000,
    Fault.TOO_EARLY: b"199 yes\r\n",
    Fault.NOT_NOW: b"451 try again later\r\n",
    Fault.LEAVING: b"421 closing\r\n",
    Fault.NEVER: b"550 never\r\n",
}
_WELL = {
    Stage.GREETING: b"220 here",
    Stage.EHLO: b"250-here\r\n250-AUTH PLAIN\r\n250 8BITMIME",
    Stage.STARTTLS: b"220 go on",
    Stage.AUTH: b"235 welcome",
    Stage.MAIL: b"250 ok",
    Stage.RCPT: b"250 ok",
    Stage.DATA: b"354 go on",
    Stage.END: b"250 taken",
    Stage.QUIT: b"221 bye",
}
_VERBS = {
    b"EHLO": Stage.EHLO,
    b"HELO": Stage.EHLO,
    b"STARTTLS": Stage.STARTTLS,
    b"AUTH": Stage.AUTH,
    b"MAIL": Stage.MAIL,
    b"RCPT": Stage.RCPT,
    b"DATA": Stage.DATA,
    b"QUIT": Stage.QUIT,
}


class _Left(Exception):  # noqa: N818 - it is no error of ours
    """The server ends this conversation."""


@dataclass
class Moody:
    """Goes wrong at one stage in one way, for all recipients or those of `only`; else it is well.

    `tried` counts the letters that came so far, by recipient.
    """

    at: Stage | None = None
    fault: Fault = Fault.HANGS
    only: Callable[[str], bool] = lambda _: True
    context: ssl.SSLContext | None = None
    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    tried: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens, without any encryption."""
        return f"smtp://127.0.0.1:{self.port}?starttls=off"

    @property
    def recipients(self) -> list[str]:
        """Who got a letter, in order."""
        return [str(letter["To"].addresses[0].addr_spec) for letter in self.letters]

    def goes_wrong(self, stage: Stage, fault: Fault) -> None:
        """Be unwell from now on."""
        self.at, self.fault = stage, fault

    def is_well(self) -> None:
        """Do from now on what a mail server does; who waits for an answer waits on."""
        self.at = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation."""
        recipient = ""
        await self._answer(Stage.GREETING, writer, recipient)
        while line := await reader.readline():
            verb = line[:8].strip().split(b" ")[0].upper()
            if verb not in _VERBS:
                writer.write(b"250 ok\r\n")
                continue
            if verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
            agreed = await self._answer(_VERBS[verb], writer, recipient)
            if agreed and verb == b"STARTTLS":
                await self._encrypt(writer)
            if agreed and verb == b"DATA":
                await self._take(reader, writer, recipient)

    async def _encrypt(self, writer: asyncio.StreamWriter) -> None:
        if self.at is Stage.HANDSHAKE:
            await asyncio.sleep(0.05)  # what came with the answer to STARTTLS would be thrown away
            await self._answer(Stage.HANDSHAKE, writer, "")
            return
        assert self.context
        await writer.start_tls(self.context)

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str
    ) -> None:
        raw = await reader.readuntil(b"\r\n.\r\n")
        self.tried[recipient] = self.tried.get(recipient, 0) + 1
        if await self._answer(Stage.END, writer, recipient):
            self.letters.append(email.message_from_bytes(raw[:-5], policy=default))

    def _is_unwell(self, stage: Stage, recipient: str) -> bool:
        return self.at is stage and (not recipient or self.only(recipient))

    async def _answer(self, stage: Stage, writer: asyncio.StreamWriter, recipient: str) -> bool:
        """Say what there is to say; return whether that was a yes."""
        if not self._is_unwell(stage, recipient):
            well = _WELL[stage]
            if stage is Stage.EHLO and self.context and not writer.get_extra_info("sslcontext"):
                well = b"250-here\r\n250 STARTTLS"
            writer.write(well + b"\r\n")
            return True
        if self.fault is Fault.HANGS:
            await asyncio.sleep(3_600)
        if self.fault is Fault.TRICKLES:
            while True:
                writer.write(b"250-wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        if self.fault is Fault.EIGHT_BIT:
            writer.write(_WELL[stage][:4] + b"\xe7\xff\x80 \x1b[1m\r\n")
            return True
        writer.write(_SAID.get(self.fault, b""))
        await writer.drain()
        if self.fault in {Fault.CLOSES, Fault.LEAVING}:
            raise _Left
        return False


@asynccontextmanager
async def moody(server: Moody) -> AsyncIterator[Moody]:
    """Run the server on a port of 127.0.0.1, the one it had before or a free one."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            await server.talk(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError, _Left):
            pass
        finally:
            writer.close()

    server.port = server.port or free_port()
    listener = await asyncio.start_server(serve, "127.0.0.1", server.port)
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
