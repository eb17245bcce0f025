"""Counting without locks: the library must find what it would have written itself."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from ops.metrics.declared import FEW_SECONDS, LONG_SECONDS, SECONDS
from ops.metrics.unlocked import counter_of, observer_of


@pytest.mark.parametrize("buckets", [SECONDS, LONG_SECONDS, FEW_SECONDS])
def test_what_is_observed_without_locks_is_what_the_library_observes(
    buckets: tuple[float, ...],
) -> None:
    ours = Histogram("x_seconds", "X.", registry=CollectorRegistry(), buckets=buckets)
    theirs = Histogram("x_seconds", "X.", registry=CollectorRegistry(), buckets=buckets)
    observe = observer_of(ours)

    for edge in (0.0, *buckets):
        for seconds in (edge, edge + 1e-9, edge * 1.5):
            observe(seconds)
            theirs.observe(seconds)

    assert _values(ours) == _values(theirs)


def test_what_is_counted_without_locks_is_added_to_what_the_library_counts() -> None:
    counter = Counter("x", "X.", ["a"], registry=CollectorRegistry())
    count = counter_of(counter.labels("b"))

    counter.labels("b").inc(2)
    count()
    count()

    assert _values(counter) == [("x_total", 4.0)]


def _values(metric: Counter | Histogram) -> list[tuple[str, float]]:
    (family,) = metric.collect()
    return [
        (f"{each.name}{each.labels.get('le', '')}", each.value)
        for each in family.samples
        if not each.name.endswith("_created")
    ]
