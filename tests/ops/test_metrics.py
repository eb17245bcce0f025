"""Metrics: names that follow the conventions, none that nobody writes, one listener a process."""

import re
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from ops.metrics import Metrics
from ops.version import VERSION

ROOT = Path(__file__).parents[2]
OURS = re.compile(r"(ostiary|http_server|db_client|redis_client|event_loop)_[a-z_]+")


def scraped(metrics: Metrics, port: int = 0) -> str:
    """Ask the listener once."""
    listener = metrics.listen("127.0.0.1", port)
    try:
        with urlopen(f"http://127.0.0.1:{listener.port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    finally:
        listener.close()


def attributes() -> dict[str, Counter | Gauge | Histogram]:
    """Return every metric by the name of its attribute."""
    kinds = (Counter, Gauge, Histogram)
    return {name: item for name, item in vars(Metrics()).items() if isinstance(item, kinds)}


def test_a_free_port_serves_what_was_counted() -> None:
    metrics = Metrics()
    metrics.problems.labels("CONFLICT").inc()

    text = scraped(metrics)

    assert 'ostiary_problems_total{code="CONFLICT"} 1\n' in text
    assert f'ostiary_build_info{{version="{VERSION}"}} 1\n' in text
    assert "process_resident_memory_bytes" in text
    assert "_created" not in text


def test_a_wanted_port_is_taken_when_free_and_replaced_when_not() -> None:
    first = Metrics().listen("127.0.0.1", 0)
    second = Metrics().listen("127.0.0.1", first.port)
    assert second.port != first.port
    second.close()
    first.close()

    again = Metrics().listen("127.0.0.1", first.port)
    assert again.port == first.port
    again.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", first.port))


def test_an_address_that_is_not_ours_is_an_error_with_its_cure() -> None:
    with pytest.raises(OSError, match="METRICS_PORT"):
        Metrics().listen("192.0.2.1", 0)


def test_two_processes_worth_of_metrics_share_nothing() -> None:
    first, second = Metrics(), Metrics()

    first.redis_errors.inc()

    assert first.registry.get_sample_value("redis_client_errors_total") == 1
    assert second.registry.get_sample_value("redis_client_errors_total") == 0


def test_every_name_and_label_follows_the_conventions() -> None:
    for family in text_string_to_metric_families(scraped(Metrics())):
        if not family.name.startswith(("process_", "python_")):
            assert OURS.fullmatch(family.name), family.name
            assert family.documentation.endswith("."), family.name
            if family.type == "histogram":
                assert family.name.endswith("_seconds"), family.name

    for metric in attributes().values():
        sampled = metric._name + ("_total" if isinstance(metric, Counter) else "")
        assert isinstance(metric, Counter) == sampled.endswith("_total"), sampled
        assert not re.search(r"_(ms|minutes|hours|kb|mb|percent|count|sum|bucket)$", sampled)
        assert all(re.fullmatch("[a-z][a-z_]*", label) for label in metric._labelnames)
        assert not {"user", "user_id", "email", "path", "address"} & set(metric._labelnames)


def test_every_metric_is_used_by_somebody() -> None:
    folders = ("api", "workers", "storage", "ops")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(path.read_text() for path in files if "metrics" not in path.parts)

    unused = [name for name in attributes() if not re.search(rf"metrics\.{name}\b", source)]

    assert unused == []
