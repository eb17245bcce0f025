"""Tokens that devices are known by: key id, device, and a MAC; nothing presentable is stored.

A device token lets nobody in. It says that this browser or app has signed in before, so that
guesses from elsewhere cannot keep its person out (OWASP, device cookies).
"""

from base64 import urlsafe_b64encode
from uuid import UUID

from ops.crypto import KeyRing, same

_PREFIX = "odv_"
_PURPOSE = "device token"
_PARTS = 3
_MAX_LENGTH = 200


class DeviceTokens:
    """Issues and reads device tokens."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def issue(self, device_id: UUID) -> str:
        """Return the token of a device, under the secret key that writes now."""
        public = f"{self._keys.writer}.{device_id.hex}"
        return f"{_PREFIX}{public}.{self._mac(public, self._keys.writer)}"

    def read(self, token: str) -> UUID | None:
        """Return the device of a token of ours, None for every other string."""
        parts = token.removeprefix(_PREFIX).split(".")
        if not token.startswith(_PREFIX) or len(parts) != _PARTS or len(token) > _MAX_LENGTH:
            return None
        key_id, device, mac = parts
        if key_id not in self._keys.ids:
            return None
        expected = self._mac(f"{key_id}.{device}", key_id)
        good = same(mac.encode("utf-8", "surrogatepass"), expected.encode())
        return UUID(hex=device) if good else None

    def agent_macs(self, user_agent: str) -> list[bytes]:
        """Return the digests a user agent may be stored under, the writing key's first."""
        return self._keys.macs(user_agent.encode("utf-8", "surrogatepass"), purpose="user agent")

    def _mac(self, public: str, key_id: str) -> str:
        mac = self._keys.mac(
            public.encode("utf-8", "surrogatepass"), purpose=_PURPOSE, key_id=key_id
        )
        return urlsafe_b64encode(mac).rstrip(b"=").decode()
