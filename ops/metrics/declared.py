"""How a metric is declared: once, with all that its page and Prometheus tell of it."""

from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# OpenTelemetry's for HTTP, less the four that tell nothing of a service as quick as this one.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900)
# For what there are hundreds of: each bucket is a series in every process.
FEW_SECONDS = (0.001, 0.01, 0.1, 1)


class By(StrEnum):
    """Which processes set a metric."""

    ALL = "every process"
    WEB = "web"
    RELAY = "relay"
    CLOCK = "clock"
    WORKERS = "workers"
    WEB_AND_WORKERS = "web, workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One metric of the catalogue; `name` is what Prometheus knows it by."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str
    by: By


class Catalogue:
    """A registry, and what is declared in it."""

    def __init__(self) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self.declared: list[Declared] = []

    def _counter(
        self,
        name: str,
        text: str,
        *labels: str,
        by: By = By.WEB,
        known: tuple[tuple[str, ...], ...] = (),
    ) -> Counter:
        """Declare a counter; those of `known` label values begin at 0, before anything happened.

        Prometheus sees no increase in a series that begins at 1: an alarm would miss the first.
        """
        self._declare(name, "counter", labels, text=text, by=by)
        counter = Counter(name, text, labels, registry=self.registry)
        for values in known:
            counter.labels(*values)
        return counter

    def _gauge(self, name: str, text: str, *labels: str, by: By = By.WEB) -> Gauge:
        self._declare(name, "gauge", labels, text=text, by=by)
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self,
        name: str,
        text: str,
        *labels: str,
        by: By = By.WEB,
        buckets: tuple[float, ...] = SECONDS,
    ) -> Histogram:
        self._declare(name, "histogram", labels, text=text, by=by)
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def _declare(self, name: str, kind: str, labels: tuple[str, ...], *, text: str, by: By) -> None:
        self.declared.append(Declared(name=name, kind=kind, labels=labels, text=text, by=by))
