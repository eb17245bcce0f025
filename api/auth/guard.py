"""Guards sign-ins against guessing: per address, per account, and per device (SECURITY C4).

Every attempt is counted as a failure before its password is looked at, so that parallel guesses all
count, and given back when it was right. A device that signed in before has a count of its own:
failures of others, behind the same address or at the same account, do not keep it out.
"""

from dataclasses import dataclass, field
from uuid import UUID

from api.addresses import site_of
from api.attempts import Attempts, Secret
from api.auth.devices import DeviceTokens
from api.context import Call
from api.limits import Limits
from api.problems import TooMany
from storage.database import Database
from storage.devices import KnownAs
from storage.jobs import NOBODY
from storage.users import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in that may be looked at, and what it was counted under."""

    email: str
    credential: Credential | None
    device: KnownAs
    bucket: str
    counted_by_account: bool = field(default=False)

    @property
    def device_id(self) -> UUID | None:
        """The device that calls, as far as it is known."""
        return self.device.by_token or self.device.by_place


class Guard:
    """Lets sign-ins through to the password, or not."""

    def __init__(
        self, *, database: Database, limits: Limits, attempts: Attempts, devices: DeviceTokens
    ) -> None:
        self._database = database
        self._limits = limits
        self._attempts = attempts
        self._devices = devices

    async def admit(self, email: str, call: Call) -> Attempt:
        """Count an attempt at a canonical address, known or not; raise TooMany.

        A device known by its token has its own count alone. One that merely calls from a known
        place, which others could imitate, still counts for its address.
        """
        credential, device = await self._look_up(email, call)
        site = site_of(call.address)
        bucket = f"device:{device.by_token}" if device.by_token else site
        by_account = device.by_token is None and device.by_place is None
        await self._limits.reserve_failure(bucket)
        if by_account:
            try:
                await self._attempts.reserve(Secret.PASSWORD, email)
            except TooMany:
                await self._limits.refund(bucket)  # nobody looked at its password
                raise
        return Attempt(
            email=email,
            credential=credential,
            device=device,
            bucket=bucket,
            counted_by_account=by_account,
        )

    async def passed(self, attempt: Attempt) -> None:
        """Give back what an attempt with the right password was counted under."""
        await self._limits.refund(attempt.bucket)
        if attempt.counted_by_account:
            await self._attempts.refund(Secret.PASSWORD, attempt.email)

    async def _look_up(self, email: str, call: Call) -> tuple[Credential | None, KnownAs]:
        async with self._database.reading() as storage:
            credential = await storage.users.credential(email)
            device = await storage.devices.known(
                credential.user_id if credential else NOBODY,
                device_id=self._devices.read(call.device_token),
                site=site_of(call.address),
                agent_macs=self._devices.agent_macs(call.user_agent),
            )
        return credential, device
