"""The text that Prometheus reads (its format 0.0.4), written in the thread of the scrape.

The library's own writer takes 10 microseconds a line and holds the interpreter meanwhile: an event
loop beside it stands still. Here what never changes of a line is kept, values are read where they
lie, and the loop gets its turn every few lines. A test compares what is written with the library's.
"""
# ruff: noqa: SLF001 - the library has no other way to its values than copying all of them thrice

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# So many lines take a fifth of a millisecond.
_LINES_AT_ONCE = 200
# Long enough for another thread to take the interpreter; 0 would keep it.
_PAUSE_SECONDS = 0.000_05
_EXACT = 10**15
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

_Ours = Counter | Gauge | Histogram


class Exposition:
    """Writes everything in a registry, as often as somebody asks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        # By the metric's name and the values of its labels; as bounded as those are.
        self._heads: dict[tuple[str, ...], list[str]] = {}

    def text(self) -> bytes:
        """Return every metric as it is now; takes a while, without holding up other threads."""
        lines: list[str] = []
        until_pause = _LINES_AT_ONCE
        for some in self._parts():
            lines += some
            if len(lines) >= until_pause:
                time.sleep(_PAUSE_SECONDS)
                until_pause = len(lines) + _LINES_AT_ONCE
        return "\n".join([*lines, ""]).encode()

    def _parts(self) -> Iterator[Iterable[str]]:
        for collector in list(self._registry._collector_to_names):
            if isinstance(collector, _Ours):
                (family,) = collector.describe()
                yield _introduction(family)
                for values, child in _children(collector):
                    yield self._of_child(collector, values, child)
            else:
                for family in collector.collect():
                    yield _introduction(family)
                    yield [
                        f"{_labelled(each.name, each.labels)} {_number(each.value)}"
                        for each in family.samples
                    ]

    def _of_child(self, metric: _Ours, values: tuple[str, ...], child: Any) -> list[str]:
        key = (metric._name, *values)
        heads = self._heads.get(key)
        if heads is None:
            heads = self._heads[key] = _heads(metric, values, child._child_samples())
        pairs = zip(heads, _values(child), strict=True)
        return [f"{head} {_number(value)}" for head, value in pairs]


def _children(metric: _Ours) -> list[tuple[tuple[str, ...], Any]]:
    if not metric._labelnames:
        return [((), metric)]
    return [(tuple(values), child) for values, child in metric._metrics.copy().items()]


def _heads(metric: _Ours, values: tuple[str, ...], samples: Iterable[Sample]) -> list[str]:
    labels = dict(zip(metric._labelnames, values, strict=True))
    return [_labelled(f"{metric._name}{each.name}", labels | each.labels) for each in samples]


def _values(child: Any) -> Iterable[float]:
    """Return the values of what `_child_samples` gives, in its order."""
    if isinstance(child, Counter):
        return (child._value.get(),)
    if isinstance(child, Histogram):
        counts = list(accumulate(bucket.get() for bucket in child._buckets))
        return (*counts, counts[-1], child._sum.get())
    return [each.value for each in child._child_samples()]


def _introduction(family: Metric) -> list[str]:
    # What is called `x` in code counts as `x_total`.
    name = f"{family.name}_total" if family.type == "counter" else family.name
    kind = "untyped" if family.type == "unknown" else family.type
    return [
        f"# HELP {name} {family.documentation.translate(_HELP_ESCAPES)}",
        f"# TYPE {name} {kind}",
    ]


def _labelled(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return name
    pairs = (f'{label}="{value.translate(_ESCAPES)}"' for label, value in labels.items())
    return f"{name}{{{','.join(pairs)}}}"


def _number(value: float) -> str:
    whole = int(value) if -_EXACT < value < _EXACT else None
    return str(whole) if whole == value else floatToGoString(value)
