"""Reads what the page draws out of a process's metrics: a few series, under names of its own.

Prometheus' text format is read line by line here, since its client's parser makes an object of each
of a thousand lines of which most are for others. A name with a space is a series and its label.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache

Labels = Mapping[str, str]

# Series that only grow while a process lives; the others go up and down.
COUNTERS = frozenset(
    {
        "requests", "server_errors", "latency", "acquire", "sign_ins", "sign_ups", "refreshes",
        "jobs", "job_wait", "letters", "redis_errors", "cpu",
    }
)  # fmt: skip

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def _of(name: str, *labels: str) -> Callable[[Labels], tuple[str, ...]]:
    """Return what gives a series its name out of its labels."""

    def named(found: Labels) -> tuple[str, ...]:
        return (" ".join([name, *(found.get(label, "") for label in labels)]),)

    return named


def _requests(found: Labels) -> tuple[str, ...]:
    if not _is_counted(found):
        return ()
    failed = found.get("http_response_status_code", "").startswith("5")
    return ("requests", "server_errors") if failed else ("requests",)


def _latency(found: Labels) -> tuple[str, ...]:
    if not _is_counted(found):
        return ()
    return (f"latency {found.get('le', '')}",)


def _verified(found: Labels) -> tuple[str, ...]:
    """Of all periodic tasks the one whose last success outlives the worker that had it."""
    return ("verified_by_clock_at",) if found.get("task") == "audit.verify" else ()


def _is_counted(found: Labels) -> bool:
    """Say whether it is a request of the service levels (docs/alerts.md)."""
    return not found.get("http_route", "").startswith(("/health", "/ops"))


_SERIES: Mapping[str, Callable[[Labels], tuple[str, ...]]] = {
    "http_server_requests_total": _requests,
    "http_server_request_duration_seconds_bucket": _latency,
    "ostiary_login_attempts_total": _of("sign_ins", "result"),
    "ostiary_signups_total": _of("sign_ups", "result"),
    "ostiary_token_refreshes_total": _of("refreshes", "result"),
    "ostiary_jobs_total": _of("jobs", "outcome"),
    "ostiary_job_wait_seconds_bucket": _of("job_wait", "le"),
    "ostiary_letters_total": _of("letters", "outcome"),
    "redis_client_errors_total": _of("redis_errors"),
    "db_client_acquire_duration_seconds_bucket": _of("acquire", "le"),
    "db_client_connections": _of("connections", "state"),
    "ostiary_queue_depth": _of("depth", "queue", "state"),
    "ostiary_queue_oldest_seconds": _of("oldest", "queue"),
    "ostiary_outbox_pending": _of("outbox_pending"),
    "ostiary_outbox_oldest_seconds": _of("outbox_oldest"),
    "ostiary_audit_seal_lag_seconds": _of("seal_lag"),
    "ostiary_audit_unsealed_events": _of("unsealed"),
    "ostiary_audit_verified_timestamp_seconds": _of("verified_at"),
    "ostiary_clock_last_success_timestamp_seconds": _verified,
    "ostiary_audit_chain_valid": _of("chain_valid"),
    "event_loop_lag_seconds": _of("loop_lag"),
    "process_cpu_seconds_total": _of("cpu"),
    "process_resident_memory_bytes": _of("memory"),
    "process_start_time_seconds": _of("started_at"),
}
METRICS = frozenset(_SERIES)


def read(text: str) -> dict[str, float]:
    """Return the series of one process, summed over the labels that the page does not tell apart.

    Series that are not numbers are left out, and so is whatever cannot be read.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        for key in _names(series):
            number = _number(value)
            if math.isfinite(number):
                found[key] += number
    return dict(found)


@lru_cache(maxsize=20_000)
def _names(series: str) -> tuple[str, ...]:
    """Return our names of a series; the same thousands are asked for every five seconds."""
    name, _, labels = series.partition("{")
    return _SERIES[name](dict(_LABEL.findall(labels))) if name in METRICS else ()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
