"""Rules of content: who may read, write and publish."""

from ops.metrics import Metrics
from storage.database import Database


class ContentService:
    """Manages pieces of content."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
