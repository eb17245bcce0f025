"""Rules of people as administrators manage them."""

from ops.metrics import Metrics
from storage.database import Database


class UserService:
    """Manages people."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
