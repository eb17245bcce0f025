"""Opening a session: for somebody who registered or signed in, on a device known or new."""

from dataclasses import dataclass, field
from uuid import UUID

from api.addresses import site_of
from api.auth.devices import DeviceTokens
from api.auth.tokens import Pair, Tokens
from api.context import Call
from storage.jobs import SendNewDevice
from storage.repositories import Storage
from storage.users import User

_PASSWORD = ("pwd",)  # RFC 8176


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLives:
    """Seconds a session lives unused, and at most; and how many of them one person may have."""

    idle: int
    absolute: int
    per_user: int


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A person, the tokens of a session, and what their device is known by from now on."""

    user: User
    tokens: Pair
    device_token: str = field(repr=False)


class SessionOpener:
    """Opens sessions inside the transaction of whoever signs somebody in."""

    def __init__(self, *, tokens: Tokens, devices: DeviceTokens, lives: SessionLives) -> None:
        self._tokens = tokens
        self._devices = devices
        self._lives = lives

    async def open(
        self, storage: Storage, user_id: UUID, call: Call, *, device_id: UUID | None
    ) -> SignedInUser:
        """Open a session; a device not seen before is told of by letter, unless it is the first.

        One session more than a person may have ends the one unused for longest.
        """
        site, agent_mac = site_of(call.address), self._devices.agent_macs(call.user_agent)[0]
        opened = await storage.sign_ins.open(
            user_id,
            device_id=device_id,
            site=site,
            agent_mac=agent_mac,
            keep=self._lives.per_user,
            key_id=self._tokens.refresh_key_id,
            amr=_PASSWORD,
            user_agent=call.user_agent,
            seconds=self._lives.idle,
            absolute_seconds=self._lives.absolute,
        )
        session, user, device = opened.session, opened.user, opened.device_id
        await storage.audit.note("session.opened", subject=user_id, session=str(session.id))
        if device_id is None and opened.has_other_devices:
            await storage.outbox.put(SendNewDevice(session.id))
        if opened.ended:
            await storage.audit.note("session.surplus_ended", subject=user_id, count=opened.ended)
        version = str(user.credential_version)
        await storage.idempotency.keep(
            {"session": session.id, "device": device, "version": version}
        )
        tokens = self._tokens.issue(session, user.role)
        return SignedInUser(user, tokens, self._devices.issue(device))
