"""Expressions that more than one dashboard shows; each stands here and nowhere else."""

from grafana.promql import added, each, highest, house, ours, quantile, rate, ratio, total

# Health checks answer 503 on purpose and Prometheus asks /ops, so they count nowhere.
_ASKED = 'http_route!~"/health.*|/ops/.*"'
_REQUESTS = ours("http_server_requests_total", _ASKED)
_SERVER_ERRORS = ours("http_server_requests_total", _ASKED, 'http_response_status_code=~"5.."')

REQUESTS = total(_REQUESTS)
REQUESTS_BY_STATUS = each(_REQUESTS, by="http_response_status_code")
SERVER_ERROR_RATIO = ratio(total(_SERVER_ERRORS), REQUESTS)


def latency(share: float) -> str:
    """Return how long a share of all requests took at most."""
    return quantile(share, "http_server_request_duration_seconds", _ASKED)


PROCESSES_DOWN = f"count({house('up')} == 0) or vector(0)"
VERSIONS = f"count(count by (version) ({ours('ostiary_build_info')}))"
LOOP_LAG = ours("event_loop_lag_seconds")
HIGHEST_LOOP_LAG = highest(LOOP_LAG)

SIGN_INS_BY_RESULT = each(ours("ostiary_login_attempts_total"), by="result")
SIGN_UPS_BY_RESULT = each(ours("ostiary_signups_total"), by="result")
VERIFICATIONS_BY_STAGE = each(ours("ostiary_email_verifications_total"), by="stage")
SIGN_IN_FAILURE_RATIO = ratio(
    total(ours("ostiary_login_attempts_total", 'result!="success"')),
    total(ours("ostiary_login_attempts_total")),
)
REFUSED_BY_POLICY = each(ours("ostiary_rate_limited_total"), by="policy")
UNCHECKED_LIMITS = total(ours("ostiary_rate_limit_unchecked_total"))
BODIES_REFUSED = each(ours("ostiary_bodies_refused_total"), by="reason")
ACCESS_TOKENS_CHECKED = each(ours("ostiary_access_tokens_checked_total"), by="result")
ADMIN_ACTIONS = each(ours("ostiary_admin_actions_total"), by="action")
ROLE_CHANGES = each(ours("ostiary_role_changes_total"), by="change")
USER_CHANGES = each(ours("ostiary_user_changes_total"), by="change")
ADMINISTRATORS = highest(house("ostiary_administrators"))
SESSIONS = highest(house("ostiary_sessions_active"))

JOBS_BY_OUTCOME = each(ours("ostiary_jobs_total"), by="outcome")
LETTERS_BY_OUTCOME = each(ours("ostiary_letters_total"), by="outcome")
OLDEST_PROMISE = highest(house("ostiary_outbox_oldest_seconds"))
OLDEST_BY_QUEUE = highest(house("ostiary_queue_oldest_seconds"), by="queue")
_DEAD = house("ostiary_queue_depth", 'state="dead"')
DEAD_JOBS = f"{added(highest(_DEAD, by='queue'))} or vector(0)"


def since_success(*matchers: str) -> str:
    """Return how long ago each periodic task last succeeded."""
    gauge = house("ostiary_clock_last_success_timestamp_seconds", *matchers)
    return f"time() - ({highest(gauge, by='task')} > 0)"


SEAL_LAG = highest(house("ostiary_audit_seal_lag_seconds"))
# A process that has not verified anything yet says 0, which is no verdict.
CHAIN_VALID = (
    f"min({house('ostiary_audit_chain_valid')}"
    f" and on(instance) {house('ostiary_audit_verified_timestamp_seconds')} > 0) or vector(1)"
)

ACQUIRE_BY_PROCESS = quantile(0.95, "db_client_acquire_duration_seconds", by="process")
REDIS_ERRORS_BY_PROCESS = each(ours("redis_client_errors_total"), by="process")
CPU_BY_PROCESS = f"sum by (process) ({rate(ours('process_cpu_seconds_total'))})"
MEMORY_BY_PROCESS = added(ours("process_resident_memory_bytes"), by="process")
