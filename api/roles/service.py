"""Rules of roles: nobody gives what they do not have."""

from ops.metrics import Metrics
from storage.database import Database


class RoleService:
    """Manages roles and who has them."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
