"""Which series there are: our own, Prometheus' own, and those of Debian's exporters."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # only tests read YAML

from ops.metrics import Metrics
from ops.metrics.declared import By

ROOT = Path(__file__).parents[2]
RULES = ROOT / "prometheus" / "rules"

OF_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds"}
# Of the processes of Linux; elsewhere they are missing.
_OF_PROCESSES = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
OF_EXPORTERS = {
    "postgres": {
        "pg_database_size_bytes",
        "pg_locks_count",
        "pg_settings_max_connections",
        "pg_stat_activity_count",
        "pg_stat_activity_max_tx_duration",
        "pg_stat_database_blks_hit",
        "pg_stat_database_blks_read",
        "pg_stat_database_deadlocks",
        "pg_stat_database_tup_deleted",
        "pg_stat_database_tup_inserted",
        "pg_stat_database_tup_updated",
        "pg_stat_database_xact_commit",
        "pg_stat_database_xact_rollback",
        "pg_stat_replication_pg_wal_lsn_diff",
        "pg_up",
    },
    "redis": {
        "redis_aof_last_write_status",
        "redis_blocked_clients",
        "redis_commands_processed_total",
        "redis_connected_clients",
        "redis_db_keys",
        "redis_evicted_keys_total",
        "redis_expired_keys_total",
        "redis_keyspace_hits_total",
        "redis_keyspace_misses_total",
        "redis_memory_max_bytes",
        "redis_memory_used_bytes",
        "redis_up",
    },
    "node": {
        "node_cpu_seconds_total",
        "node_disk_io_time_seconds_total",
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
        "node_network_receive_bytes_total",
        "node_network_transmit_bytes_total",
        "node_uname_info",
    },
}

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
# What Prometheus calls a label of ours that it has one of its own for.
_SCRAPED = {"job": "exported_job"}
_METRICS = Metrics()


def read_yaml(path: Path) -> Any:
    """Read a file of Prometheus or Grafana."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def labels_of_ours() -> dict[str, set[str]]:
    """Return the labels of every series that our processes serve."""
    found = {name: set[str]() for name in _OF_PROCESSES}
    for metric in _METRICS.declared:
        stem = metric.name.removesuffix("_total")
        for suffix in _SUFFIXES[metric.kind]:
            found[stem + suffix] = {_SCRAPED.get(label, label) for label in metric.labels}
    return found


@cache
def recorded() -> frozenset[str]:
    """Return the names that our recording rules give."""
    return frozenset(rule["record"] for rule in _rules() if "record" in rule)


def alerts() -> set[str]:
    """Return the names of our alerts."""
    return {rule["alert"] for rule in _rules() if "alert" in rule}


@cache
def known() -> set[str]:
    """Return every name a dashboard may ask for."""
    return {*labels_of_ours(), *OF_PROMETHEUS, *recorded()}.union(*OF_EXPORTERS.values())


@cache
def of_the_whole_house(name: str) -> bool:
    """Say whether a series is about all processes together, so that choosing some is no matter."""
    by_clock = {metric.name for metric in _METRICS.declared if metric.by is By.CLOCK}
    # What was found about the ledger, by whichever worker looked.
    verdict = name.startswith("ostiary_audit_") and not name.endswith("_total")
    return verdict or name in by_clock | recorded() | {"up"}


def _rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in read_yaml(path)["groups"]
        for rule in group["rules"]
    ]
