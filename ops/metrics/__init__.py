"""Every metric of the house: name, help, labels. One registry and one listener per process.

Labels are bounded by construction: route templates, never paths; codes and names, never people.
"""

from prometheus_client import PlatformCollector, ProcessCollector

from ops.metrics.jobs import JobMetrics
from ops.metrics.listener import Listener, listening
from ops.metrics.people import PeopleMetrics
from ops.metrics.requests import RequestMetrics
from ops.metrics.resources import ResourceMetrics

__all__ = ["Listener", "Metrics"]


class Metrics(RequestMetrics, PeopleMetrics, JobMetrics, ResourceMetrics):
    """The metrics of one process; every part gets them handed in."""

    def __init__(self) -> None:
        super().__init__()
        PlatformCollector(registry=self.registry)
        ProcessCollector(registry=self.registry)

    def listen(self, host: str, port: int) -> Listener:
        """Serve /metrics in a thread of its own, on `port` or, when 0 or taken, on a free one.

        Raises OSError when there is none.
        """
        return listening(self.registry, host, port)
