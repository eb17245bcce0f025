"""How many error reports a process sends: a storm of errors must not become one of reports."""

import time

_PER_MINUTE = 60
_SECONDS = 60.0


class Budget:
    """So many in a minute, then none until the next one begins."""

    def __init__(self, most: int = _PER_MINUTE) -> None:
        self._most = most
        self._left = most
        self._until = 0.0

    def take(self) -> bool:
        """Take one; False when there is none left."""
        now = time.monotonic()
        if now >= self._until:
            self._left, self._until = self._most, now + _SECONDS
        self._left -= 1
        return self._left >= 0
