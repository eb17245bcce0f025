"""PostgreSQL and Redis: as our processes feel them, and as their exporters see them."""

from grafana import signals
from grafana.board import Row, board, choice
from grafana.panels import above, below, graph, stack, stat
from grafana.promql import added, each, exporter, ours, quantile, rate, ratio, total

_OPERATION = "db_client_operation_duration_seconds"


def _postgres(metric: str, *matchers: str) -> str:
    return exporter("postgres", metric, *matchers)


def _redis(metric: str, *matchers: str) -> str:
    return exporter("redis", metric, *matchers)


def _database(metric: str) -> str:
    return _postgres(f"pg_stat_database_{metric}", 'datname!~"|template.*|postgres"')


def _busiest(expr: str) -> str:
    """Keep ten lines, since more cannot be told apart."""
    return f"topk(10, {expr})"


_CONNECTIONS = (
    f"sum({_postgres('pg_stat_activity_count')}) / sum({_postgres('pg_settings_max_connections')})"
)
_HIT_RATIO = ratio(
    total(_database("blks_hit")),
    f"({total(_database('blks_hit'))} + {total(_database('blks_read'))})",
)
_REDIS_FULL = (
    f"max({_redis('redis_memory_used_bytes')} / ({_redis('redis_memory_max_bytes')} > 0))"
    " or vector(0)"
)

_NOW = Row(
    "Now",
    stat(
        "PostgreSQL answers its exporter",
        "No: nobody can be served. Nothing here at all: the exporter does not run.",
        expr=f"min({_postgres('pg_up')})",
        unit="bool_yes_no",
        limits=below(alarm=1),
        alerts=("PostgresDown",),
    ),
    stat(
        "PostgreSQL connections taken",
        "Of max_connections. Above 80 %: fewer processes, a smaller DB_POOL_SIZE, or pgbouncer.",
        expr=_CONNECTIONS,
        unit="percentunit",
        limits=above(warn=0.6, alarm=0.8),
        alerts=("PostgresConnectionsHigh",),
    ),
    stat(
        "Slow statements a second",
        "Each has a line `slow query` in the log with its operation: look at its plan.",
        expr=total(ours("ostiary_slow_queries_total")),
        unit="ops",
        limits=above(warn=0.1),
    ),
    stat(
        "Redis answers its exporter",
        "No: jobs wait, general limits do not hold, requests are still served.",
        expr=f"min({_redis('redis_up')})",
        unit="bool_yes_no",
        limits=below(alarm=1),
        alerts=("RedisDown",),
    ),
    stat(
        "Redis is full by",
        "Of maxmemory; 0 where there is none. Full, it refuses jobs: give it more, see what grows.",
        expr=_REDIS_FULL,
        unit="percentunit",
        limits=above(warn=0.7, alarm=0.85),
        alerts=("RedisMemoryHigh",),
    ),
    stat(
        "Redis errors of ours",
        "Standing above 0: Redis is away for us, whatever the exporter says. Look at REDIS_URL.",
        expr=total(ours("redis_client_errors_total")),
        unit="ops",
        limits=above(alarm=0.05),
        alerts=("RedisErrors",),
    ),
)

_FELT = Row(
    "As our processes feel them",
    graph(
        "Wait for a PostgreSQL connection (95th percentile)",
        "Above 250 ms: the pool is used up; after a second callers get 503.",
        lines={"{{process}}": signals.ACQUIRE_BY_PROCESS},
        unit="s",
        limits=above(alarm=0.25),
        alerts=("PoolExhausted",),
    ),
    graph(
        "Our PostgreSQL connections",
        "`open` at `max` and none idle: the pool is used up. Raise DB_POOL_SIZE if PostgreSQL has"
        " connections left.",
        lines={"{{state}}": added(ours("db_client_connections"), by="state")},
        unit="short",
        alerts=("PoolExhausted",),
    ),
    graph(
        "Redis errors by process",
        "One process only: its network. All: Redis.",
        lines={"{{process}}": signals.REDIS_ERRORS_BY_PROCESS},
        unit="ops",
        alerts=("RedisErrors",),
    ),
    graph(
        "Slowest operations (95th percentile)",
        "Ten of them, by the name they have in our code. One slow: its plan. All slow: the disk,"
        " or a lock.",
        lines={"{{operation}}": _busiest(quantile(0.95, _OPERATION, by="operation"))},
        unit="s",
    ),
    graph(
        "Most frequent operations",
        "Ten of them. One far above the requests: something asks in a loop.",
        lines={
            "{{operation}}": _busiest(f"sum by (operation) ({rate(ours(f'{_OPERATION}_count'))})")
        },
        unit="ops",
    ),
    graph(
        "Where time in PostgreSQL goes",
        "Ten operations that take most of it: seconds per second. Begin to improve here.",
        lines={
            "{{operation}}": _busiest(f"sum by (operation) ({rate(ours(f'{_OPERATION}_sum'))})")
        },
        unit="short",
    ),
)

_POSTGRES = Row(
    "PostgreSQL",
    stack(
        "Connections by state",
        "Many `idle in transaction`: a process hangs in the middle of one; see which with"
        " pg_stat_activity.",
        lines={"{{state}}": added(_postgres("pg_stat_activity_count"), by="state")},
        unit="short",
        alerts=("PostgresConnectionsHigh",),
    ),
    graph(
        "Transactions a second",
        "Undone ones rise: clashes or errors; the log of PostgreSQL says why.",
        lines={
            "committed": total(_database("xact_commit")),
            "undone": total(_database("xact_rollback")),
        },
        unit="ops",
    ),
    graph(
        "Longest transaction",
        "Minutes: it keeps rows from being cleaned up. Find its pid in pg_stat_activity, ask"
        " whose it is.",
        lines={"{{state}}": f"max by (state) ({_postgres('pg_stat_activity_max_tx_duration')})"},
        unit="s",
        limits=above(warn=300),
    ),
    graph(
        "Read from memory",
        "Share of blocks found in shared_buffers. Below 99 % for long: give PostgreSQL more.",
        lines={"hit ratio": _HIT_RATIO},
        unit="percentunit",
    ),
    graph(
        "Deadlocks and clashes",
        "Transactions that locked each other out and were undone. More than a few: report it.",
        lines={"{{datname}}": each(_database("deadlocks"), by="datname")},
        unit="ops",
        alerts=("Deadlocks",),
    ),
    graph(
        "Locks held, by mode",
        "`accessexclusivelock` that stays: a migration or VACUUM FULL keeps everybody out.",
        lines={"{{mode}}": f"sum by (mode) ({_postgres('pg_locks_count')}) > 0"},
        unit="short",
        alerts=("Deadlocks",),
    ),
    graph(
        "Rows written a second",
        "By kind. Far above the requests: a task or a job that writes much.",
        lines={
            "inserted": total(_database("tup_inserted")),
            "updated": total(_database("tup_updated")),
            "deleted": total(_database("tup_deleted")),
        },
        unit="wps",
    ),
    graph(
        "Size by database",
        "Plan disk by the trend; docs/clock.md says what is kept how long.",
        lines={"{{datname}}": f"max by (datname) ({_postgres('pg_database_size_bytes')})"},
        unit="bytes",
        alerts=("DiskFillsIn4h",),
    ),
    graph(
        "How far standbys lag",
        "Bytes not yet replayed; empty without standbys. Growing: its network or disk.",
        lines={
            "{{application_name}}": (
                f"max by (application_name) ({_postgres('pg_stat_replication_pg_wal_lsn_diff')})"
                " or on() vector(0)"
            )
        },
        unit="bytes",
        alerts=("ReplicationLag",),
    ),
)

_REDIS = Row(
    "Redis",
    graph(
        "Memory",
        "At its limit Redis refuses writes, as it should (noeviction). Growing without end: see"
        " which keys below.",
        lines={
            "used": f"max({_redis('redis_memory_used_bytes')})",
            "limit": f"max({_redis('redis_memory_max_bytes')} > 0) or vector(0)",
        },
        unit="bytes",
        alerts=("RedisMemoryHigh",),
    ),
    graph(
        "Commands and what they find",
        "Commands a second, and keys asked for that were there or not.",
        lines={
            "commands": total(_redis("redis_commands_processed_total")),
            "found": total(_redis("redis_keyspace_hits_total")),
            "missed": total(_redis("redis_keyspace_misses_total")),
        },
        unit="ops",
    ),
    graph(
        "Clients",
        "`blocked` are workers that wait for jobs. Connected near maxclients: too many processes.",
        lines={
            "connected": added(_redis("redis_connected_clients")),
            "blocked": added(_redis("redis_blocked_clients")),
        },
        unit="short",
    ),
    graph(
        "Keys thrown away",
        "Evicted above 0: jobs may be lost to Redis (we offer them again). Set noeviction.",
        lines={
            "evicted": total(_redis("redis_evicted_keys_total")),
            "expired": total(_redis("redis_expired_keys_total")),
        },
        unit="ops",
        alerts=("RedisEvictions",),
    ),
    graph(
        "Keys by database",
        "Growing without end: something is written that never expires; report it.",
        lines={"{{db}}": f"sum by (db) ({_redis('redis_db_keys')})"},
        unit="short",
    ),
    graph(
        "Append-only file written",
        "0: the last write failed, often a full disk. What is new is lost at a crash.",
        lines={"written": f"min({_redis('redis_aof_last_write_status')})"},
        unit="bool_yes_no",
        alerts=("RedisAofWriteFailed",),
    ),
)

DATABASES = board(
    "ostiary-databases",
    "Ostiary / PostgreSQL and Redis",
    description="As our processes feel them, and as their exporters see them.",
    rows=(_NOW, _FELT, _POSTGRES, _REDIS),
    choices=(
        choice("postgres", "pg_up", label="instance"),
        choice("redis", "redis_up", label="instance"),
    ),
)
