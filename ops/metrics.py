"""Every metric of the house: name, help, labels. One registry and one listener per process.

Labels are bounded by construction: route templates, never paths; codes and names, never people.
"""

import random
from dataclasses import dataclass
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from ops.version import VERSION

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LONG_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900)
# Below the range from which Linux takes ports for outgoing connections.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 50


class Metrics:
    """The metrics of one process; every part gets them handed in."""

    def __init__(self) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        PlatformCollector(registry=self.registry)
        ProcessCollector(registry=self.registry)
        self._http()
        self._identity()
        self._people()
        self._jobs()
        self._letters_and_clock()
        self._resources()

    def _http(self) -> None:
        self.request_seconds = self._histogram(
            "http_server_request_duration_seconds",
            "Time from the request's headers to the end of its answer.",
            "http_request_method",
            "http_route",
        )
        self.requests = self._counter(
            "http_server_requests_total",
            "Requests answered.",
            "http_request_method",
            "http_route",
            "http_response_status_code",
        )
        self.deprecated_requests = self._counter(
            "ostiary_deprecated_requests_total",
            "Requests to routes that will go.",
            "http_request_method",
            "http_route",
        )
        self.requests_active = self._gauge(
            "http_server_active_requests", "Requests being answered now."
        )
        self.problems = self._counter("ostiary_problems_total", "Errors told to callers.", "code")
        self.rate_limited = self._counter(
            "ostiary_rate_limited_total", "Requests refused by a limit.", "policy"
        )
        self.limits_open = self._counter(
            "ostiary_rate_limit_unchecked_total", "Requests let through while Redis was away."
        )
        self.proxy_suspected = self._gauge(
            "ostiary_untrusted_proxy_suspected",
            "1 when all requests come from one peer that looks like a proxy TRUSTED_PROXIES lacks.",
        )
        self.bodies_refused = self._counter(
            "ostiary_bodies_refused_total",
            "Request bodies refused before they were read.",
            "reason",
        )

    def _identity(self) -> None:
        self.signups = self._counter("ostiary_signups_total", "Registrations.", "method", "result")
        self.logins = self._counter(
            "ostiary_login_attempts_total", "Sign-ins tried.", "method", "result"
        )
        self.verifications = self._counter(
            "ostiary_email_verifications_total", "E-mail addresses: letters and proofs.", "stage"
        )
        self.tokens_issued = self._counter(
            "ostiary_tokens_issued_total", "Access tokens issued.", "grant"
        )
        self.refreshes = self._counter(
            "ostiary_token_refreshes_total", "Refresh tokens presented.", "result"
        )
        self.sessions_revoked = self._counter(
            "ostiary_sessions_revoked_total", "Sessions ended before their time.", "reason"
        )
        self.resets = self._counter(
            "ostiary_password_resets_total", "Password resets: letters and uses.", "stage"
        )
        self.email_changes = self._counter(
            "ostiary_email_changes_total", "Changes of e-mail address.", "stage"
        )
        self.step_ups = self._counter(
            "ostiary_step_ups_total", "Passwords asked for again in a session.", "result"
        )
        self.tokens_checked = self._counter(
            "ostiary_access_tokens_checked_total",
            "Access tokens presented: known from before, looked up, or refused.",
            "result",
        )
        self.revocations_age = self._gauge(
            "ostiary_revocations_age_seconds",
            "Time since this process last read what was revoked.",
        )
        self.key_age = self._gauge(
            "ostiary_signing_key_age_seconds", "Age of the key that signs access tokens."
        )
        self.hash_seconds = self._histogram(
            "ostiary_password_hash_seconds", "Time to hash or verify one password.", "op"
        )
        self.hash_queue = self._gauge(
            "ostiary_password_hash_queue", "Passwords waiting for a hash slot."
        )
        self.users = self._gauge("ostiary_users", "Users by state.", "state")
        self.sessions_active = self._gauge("ostiary_sessions_active", "Sessions not yet ended.")

    def _people(self) -> None:
        self.role_changes = self._counter(
            "ostiary_role_changes_total",
            "Roles given, taken, created, changed and deleted.",
            "change",
        )
        self.profile_values_unreadable = self._counter(
            "ostiary_profile_values_unreadable_total",
            "Values of profiles met whose key SECRET_KEYS lacks.",
            "column",
        )
        self.user_changes = self._counter(
            "ostiary_user_changes_total",
            "People created, changed, moved to another address, suspended, activated, deleted,"
            " restored.",
            "change",
        )
        self.team_changes = self._counter(
            "ostiary_team_changes_total",
            "Teams created, changed and deleted; members added, changed and removed.",
            "change",
        )

    def _jobs(self) -> None:
        self.jobs = self._counter(
            "ostiary_jobs_total", "Jobs by how they ended.", "queue", "job", "outcome"
        )
        self.job_seconds = self._histogram(
            "ostiary_job_duration_seconds",
            "Time a job worked.",
            "queue",
            "job",
            buckets=_LONG_SECONDS,
        )
        self.job_wait = self._histogram(
            "ostiary_job_wait_seconds",
            "Time from a job's due time to its start.",
            "queue",
            buckets=_LONG_SECONDS,
        )
        self.job_retries = self._counter(
            "ostiary_job_retries_total", "Jobs put back for another try.", "queue", "job"
        )
        self.job_changes = self._counter(
            "ostiary_job_changes_total",
            "Jobs retried, discarded and replayed, queues held and released, by people.",
            "change",
        )
        self.jobs_in_progress = self._gauge(
            "ostiary_jobs_in_progress", "Jobs being worked on now.", "queue"
        )
        self.queue_depth = self._gauge(
            "ostiary_queue_depth", "Promises not yet done, by state.", "queue", "state"
        )
        self.queue_oldest = self._gauge(
            "ostiary_queue_oldest_seconds", "Age of the oldest promise that is due.", "queue"
        )
        self.outbox_pending = self._gauge(
            "ostiary_outbox_pending", "Promises not yet handed to the broker."
        )
        self.outbox_oldest = self._gauge(
            "ostiary_outbox_oldest_seconds", "Age of the oldest promise not yet handed over."
        )
        self.relayed = self._counter(
            "ostiary_outbox_relayed_total", "Promises handed to the broker.", "result"
        )
        self.quarantined = self._counter(
            "ostiary_messages_quarantined_total", "Broker messages that could not be read.", "queue"
        )

    def _letters_and_clock(self) -> None:
        self.letters = self._counter(
            "ostiary_letters_total", "Letters by what became of them.", "template", "outcome"
        )
        self.letter_seconds = self._histogram(
            "ostiary_letter_seconds", "Time from promise to handing over.", buckets=_LONG_SECONDS
        )
        self.clock_success = self._gauge(
            "ostiary_clock_last_success_timestamp_seconds",
            "When a periodic task last succeeded; before that, when it was first due.",
            "task",
        )
        self.clock_period = self._gauge(
            "ostiary_clock_period_seconds", "Longest pause between two slots of a task.", "task"
        )
        self.clock_seconds = self._gauge(
            "ostiary_clock_last_duration_seconds",
            "How long a periodic task worked when it last succeeded.",
            "task",
        )
        self.active_users = self._gauge(
            "ostiary_active_users", "People who used a session, by days looked at.", "window"
        )
        self.audit_unsealed = self._gauge(
            "ostiary_audit_unsealed_events", "Audit events waiting to be sealed into the ledger."
        )
        self.audit_seal_lag = self._gauge(
            "ostiary_audit_seal_lag_seconds", "Age of the oldest audit event not yet sealed."
        )
        self.audit_sealed = self._counter(
            "ostiary_audit_sealed_events_total", "Audit events sealed into the ledger."
        )
        self.audit_head = self._gauge(
            "ostiary_audit_checkpoint_sequence",
            "Row of the audit ledger that the newest checkpoint outside the database signs.",
        )
        self.audit_verified = self._gauge(
            "ostiary_audit_verified_timestamp_seconds", "When the audit ledger was last verified."
        )
        self.audit_valid = self._gauge(
            "ostiary_audit_chain_valid",
            "1 when the last verification found every row of the ledger as it was sealed.",
        )

    def _resources(self) -> None:
        self.db_connections = self._gauge(
            "db_client_connections", "PostgreSQL connections of this process.", "state"
        )
        self.db_acquire = self._histogram(
            "db_client_acquire_duration_seconds", "Time to get a connection from the pool."
        )
        self.redis_errors = self._counter(
            "redis_client_errors_total", "Redis commands that failed."
        )
        self.loop_lag = self._gauge("event_loop_lag_seconds", "How late the event loop runs.")
        build = self._gauge("ostiary_build_info", "The running version.", "version")
        build.labels(VERSION).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
    ) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def listen(self, host: str, port: int) -> "Listener":
        """Serve /metrics in a thread of its own, on `port` or, when 0 or taken, on a free one.

        A fixed port is for one process; its siblings, and its successor while both live, take free
        ones and announce them. Raises OSError when there is none.
        """
        wanted = [port] if port else []
        for candidate in [*wanted, *random.sample(_PORTS, _ATTEMPTS)]:
            try:
                return Listener(host, candidate, *start_http_server(candidate, host, self.registry))
            except OSError:
                continue
        raise OSError("no free port for metrics between 20000 and 32000; set METRICS_PORT")


@dataclass(frozen=True, slots=True)
class Listener:
    """A running metrics listener."""

    host: str
    port: int
    _server: WSGIServer
    _thread: Thread

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
