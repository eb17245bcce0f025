"""Metrics of what the service stands on: PostgreSQL, Redis, the event loop, the audit ledger."""

from ops.metrics.declared import FEW_SECONDS, By, Catalogue
from ops.version import VERSION


class ResourceMetrics(Catalogue):
    """What is used up, and what is kept."""

    def __init__(self) -> None:
        super().__init__()
        self._database()
        self._process()
        self._audit_inbox()
        self._audit_ledger()

    def _database(self) -> None:
        self.db_connections = self._gauge(
            "db_client_connections", "PostgreSQL connections of this process.", "state", by=By.ALL
        )
        self.db_acquire = self._histogram(
            "db_client_acquire_duration_seconds",
            "Time to get a connection from the pool.",
            by=By.ALL,
        )
        self.db_operations = self._histogram(
            "db_client_operation_duration_seconds",
            "Time a statement took, by the name it has in our code.",
            "operation",
            by=By.ALL,
            buckets=FEW_SECONDS,
        )
        self.slow_queries = self._counter(
            "ostiary_slow_queries_total",
            "Statements that took longer than SLOW_QUERY_MS; each has a log line.",
            by=By.ALL,
        )
        self.database_bytes = self._gauge(
            "ostiary_database_bytes", "Size of our database on disk.", by=By.CLOCK
        )

    def _process(self) -> None:
        self.redis_errors = self._counter(
            "redis_client_errors_total", "Redis commands that failed.", by=By.ALL
        )
        self.loop_lag = self._gauge(
            "event_loop_lag_seconds",
            "How late the event loop ran at worst in the last 15 seconds.",
            by=By.ALL,
        )
        self.certificate_end = self._gauge(
            "ostiary_certificate_expiry_timestamp_seconds",
            "When the certificate of PUBLIC_URL ends; 0 without https, or if never seen.",
            by=By.CLOCK,
        )
        build = self._gauge("ostiary_build_info", "The running version.", "version", by=By.ALL)
        build.labels(VERSION).set(1)

    def _audit_inbox(self) -> None:
        self.audit_events = self._counter(
            "ostiary_audit_events_total",
            "Events noted for the audit trail, by action.",
            "action",
            by=By.ALL,
        )
        self.audit_unsealed = self._gauge(
            "ostiary_audit_unsealed_events",
            "Audit events waiting to be sealed into the ledger; counted up to 100,000.",
            by=By.CLOCK,
        )
        self.audit_seal_lag = self._gauge(
            "ostiary_audit_seal_lag_seconds",
            "Age of the oldest audit event not yet sealed.",
            by=By.CLOCK,
        )

    def _audit_ledger(self) -> None:
        self.audit_sealed = self._counter(
            "ostiary_audit_sealed_events_total",
            "Audit events sealed into the ledger.",
            by=By.WORKERS,
        )
        self.audit_head = self._gauge(
            "ostiary_audit_checkpoint_sequence",
            "Row of the audit ledger that the newest checkpoint outside the database signs.",
            by=By.WORKERS,
        )
        self.audit_verified = self._gauge(
            "ostiary_audit_verified_timestamp_seconds",
            "When the audit ledger was last verified.",
            by=By.WEB_AND_WORKERS,
        )
        self.audit_valid = self._gauge(
            "ostiary_audit_chain_valid",
            "1 when the last verification found every row of the ledger as it was sealed.",
            by=By.WEB_AND_WORKERS,
        )
