"""A mail server of moods: it takes letters, late at times, or not now, or says nothing for long."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import Envelope

from tests.mailroom import kind_of, to_of, token_of
from tests.workers.smtp import Sink

# Addresses of this domain it does not know, ever.
UNKNOWN = "nowhere.example.com"


@dataclass
class MoodySink(Sink):
    """Fails, delays and hangs at random until it is calm; keeps when each letter came."""

    chance: random.Random = field(default_factory=random.Random)
    # Seconds it says nothing, at most, before it refuses for now.
    longest: float = 3.0
    calm: bool = False
    # Letters it was given and has said nothing of yet.
    in_hand: int = 0
    arrived: list[tuple[float, EmailMessage]] = field(default_factory=list)
    moods: dict[str, int] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless nobody of that name is there."""
        if address.endswith(UNKNOWN):
            return "550 5.1.1 nobody of that name"
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        """Take the letter as the mood is."""
        self.in_hand += 1
        try:
            return await self._take(server, session, envelope)
        finally:
            self.in_hand -= 1

    async def _take(self, server: Any, session: Any, envelope: Envelope) -> str:
        mood = "taken" if self.calm else self._mood()
        self.moods[mood] = self.moods.get(mood, 0) + 1
        if mood == "refused":
            return "451 4.3.0 not now"
        if mood == "hanging":
            await self._calm_or(self.longest)
            return "451 4.3.0 not after all"
        if mood == "late":
            await asyncio.sleep(self.chance.uniform(0.1, 1.5))
        answer = await super().handle_DATA(server, session, envelope)
        self.arrived.append((time.monotonic(), self.letters[-1]))
        return answer

    def _mood(self) -> str:
        return self.chance.choices(("taken", "refused", "late", "hanging"), (70, 7, 20, 3))[0]

    async def _calm_or(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            if self.calm:
                return
            await asyncio.sleep(0.1)

    def reset_token(self, address: str, since: float) -> str | None:
        """Return the token of the newest letter that lets somebody choose a new password."""
        for at, letter in reversed(self.arrived):
            if at < since:
                return None
            if to_of(letter) == address and kind_of(letter) == "reset":
                return token_of(letter)
        return None
