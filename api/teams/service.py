"""Rules of teams."""

from ops.metrics import Metrics
from storage.database import Database


class TeamService:
    """Manages teams and who is in them."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
