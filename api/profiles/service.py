"""Rules of profiles."""

from ops.metrics import Metrics
from storage.database import Database


class ProfileService:
    """Keeps what people tell of themselves."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
