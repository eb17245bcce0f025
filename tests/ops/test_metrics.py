"""Metrics: names that follow the conventions, none that nobody writes, one listener a process."""

import asyncio
import gzip
import re
import socket
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from ops.lag import measure_lag
from ops.metrics import Metrics
from ops.metrics.declared import By
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


def setters(attribute: str) -> set[By]:
    """Return which processes run the code that names a metric."""
    found = set()
    for floor in ("api", "workers", "storage", "ops"):
        for path in (ROOT / floor).rglob("*.py"):
            if "metrics" in path.parts or not re.search(
                rf"metrics\.{attribute}\b", path.read_text()
            ):
                continue
            own = {"relay.py": By.RELAY, "clock.py": By.CLOCK}.get(path.name, By.WORKERS)
            found.add({"api": By.WEB, "workers": own}.get(floor, By.ALL))
    return found


def test_every_metric_is_set_by_the_processes_that_its_declaration_names() -> None:
    together = {frozenset({By.WEB, By.WORKERS}): By.WEB_AND_WORKERS}
    declared = {each.name.removesuffix("_total"): each.by for each in Metrics().declared}

    for attribute, metric in attributes().items():
        # Counted where any transaction ends, but people act through web processes only.
        found = {By.WEB} if attribute == "admin_actions" else setters(attribute)
        by = By.ALL if By.ALL in found else together.get(frozenset(found)) or next(iter(found))
        assert declared[metric._name] == by, attribute


async def test_the_lag_of_a_loop_is_the_worst_of_the_last_seconds() -> None:
    metrics = Metrics()
    task = asyncio.create_task(measure_lag(metrics))
    await asyncio.sleep(0.05)

    time.sleep(0.3)  # noqa: ASYNC251 - this is what shall be seen
    for _ in range(3):
        await asyncio.sleep(0.1)
    task.cancel()

    lag = metrics.registry.get_sample_value("event_loop_lag_seconds")
    assert lag is not None
    assert 0.15 < lag < 5


async def test_the_lag_of_a_loop_that_hangs_is_seen_while_it_hangs() -> None:
    metrics = Metrics()
    task = asyncio.create_task(measure_lag(metrics))
    await asyncio.sleep(0.05)

    time.sleep(0.5)  # noqa: ASYNC251 - this is what shall be seen
    lag = metrics.registry.get_sample_value("event_loop_lag_seconds")
    task.cancel()

    assert lag is not None
    assert lag > 0.3


def test_a_listener_compresses_for_whoever_asks_and_has_nothing_else_to_offer() -> None:
    metrics = Metrics()
    listener = metrics.listen("127.0.0.1", 0)
    port = listener.port
    try:
        asked = Request(f"http://127.0.0.1:{port}/metrics?x=1", headers={"Accept-Encoding": "gzip"})
        with urlopen(asked, timeout=5) as answer:  # noqa: S310 - our own listener
            packed, headers = answer.read(), answer.headers
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        with socket.create_connection(("127.0.0.1", port)) as hangs_up:
            hangs_up.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read()
    finally:
        listener.close()

    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"ostiary_build_info" in gzip.decompress(packed)
    assert len(packed) < len(text) / 3
