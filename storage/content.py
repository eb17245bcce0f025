"""Content: the documents' protected resource."""

from typing import Any


class Content:
    """Pieces of content."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
