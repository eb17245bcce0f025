"""Guards sign-ins against guessing: per address, per account, and per device (docs/auth.md).

Every attempt is counted as a failure before its password is looked at, so that parallel guesses all
count, and given back when it was right. A device that signed in before has a count of its own:
failures of others, behind the same address or at the same account, do not keep it out.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from api.addresses import site_of
from api.attempts import Attempts, Secret
from api.auth.devices import DeviceTokens
from api.context import Call
from storage.database import Database
from storage.devices import KnownAs
from storage.users import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in that may be looked at: whom it is about, and which device makes it."""

    credential: Credential | None
    device: KnownAs

    @property
    def device_id(self) -> UUID | None:
        """The device that calls, as far as it is known."""
        return self.device.by_token or self.device.by_place


class Guard:
    """Lets sign-ins through to the password, or not."""

    def __init__(self, *, database: Database, attempts: Attempts, devices: DeviceTokens) -> None:
        self._database = database
        self._attempts = attempts
        self._devices = devices

    @asynccontextmanager
    async def admitted(self, email: str, call: Call) -> AsyncIterator[Attempt]:
        """Count an attempt at a canonical address, known or not, around the look at its password.

        It is given back unless the body raises for a wrong password, also when nobody could look.
        Raises TooMany. A device known by its token has its own count alone; one that merely calls
        from a known place, which others could imitate, still counts for its address.
        """
        credential, device = await self._look_up(email, call)
        attempt = Attempt(credential=credential, device=device)
        account, caller = email, site_of(call.address)
        if device.by_token:
            account = caller = f"device:{device.by_token}"
        elif device.by_place:
            account = f"place:{device.by_place}"
        # Two counts for everybody, so that the time does not tell whose place this is.
        async with self._attempts.counted(Secret.PASSWORD, account=account, caller=caller):
            yield attempt

    async def _look_up(self, email: str, call: Call) -> tuple[Credential | None, KnownAs]:
        async with self._database.reading() as storage:
            return await storage.sign_ins.look_up(
                email,
                device_id=self._devices.read(call.device_token),
                site=site_of(call.address),
                agent_macs=self._devices.agent_macs(call.user_agent),
            )
