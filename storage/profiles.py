"""Profiles: what people tell of themselves; phone and date of birth rest encrypted."""

from typing import Any

from ops.crypto import KeyRing


class Profiles:
    """Profiles of people."""

    def __init__(self, connection: Any, keys: KeyRing) -> None:
        self._connection = connection
        self._keys = keys
