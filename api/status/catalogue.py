"""The catalogue of what the page draws: lines, limits, and the runbook for whoever is over one.

One of the two limits is that of the alert whose runbook is named (`prometheus/rules/`), looked at
over the last minute and the whole house; alerts wait longer, and look at each queue, template or
process by itself. So the page may worry sooner than Prometheus, and never calls anybody. Latency,
reused tokens, jobs given up and the last verification have limits of their own: alerts look at
these over hours, or at how they grow.
"""

from collections.abc import Mapping

from api.status import measures
from api.status.measures import all_of, gauge, highest, quantile, rate, ratio
from api.status.plans import Limit, Plan

_HOUR = 3_600.0
# What was put back or withheld says nothing of how many fail.
_TRIES = ("jobs done", "jobs retried", "jobs dead")
_SENT = ("letters handed_over", "letters failed", "letters bounced")
_GOOD_REFRESHES = ("rotated", "repeated", "reused")

GROUPS: Mapping[str, tuple[Plan, ...]] = {
    "Requests": (
        Plan(
            name="requests",
            title="Requests",
            about="Answered by all web processes; health checks and this page left out.",
            unit="per second",
            lines={"requests": rate("requests", "per second")},
        ),
        Plan(
            name="errors",
            title="Server errors",
            about="Share of answers with a 5xx status.",
            unit="ratio",
            lines={"errors": ratio(("server_errors",), ("requests",), floor=6)},
            limit=Limit(look=0.003, act=0.0144, runbook="ErrorBudgetBurnFast"),
        ),
        Plan(
            name="latency",
            title="Latency, 95th percentile",
            about="Nineteen of twenty answers were faster.",
            unit="seconds",
            lines={"p95": quantile(0.95, "latency"), "p50": quantile(0.5, "latency")},
            limit=Limit(look=0.25, act=1.0, runbook="LatencyBudgetBurn"),
        ),
    ),
    "Signing in": (
        Plan(
            name="signIns",
            title="Sign-ins",
            about="Refused: the password was right, the account suspended or not verified.",
            unit="per minute",
            lines={
                "succeeded": rate("sign_ins success", "per minute"),
                "failed": rate("sign_ins failure", "per minute"),
                "refused": rate("sign_ins", "per minute", but=("success", "failure")),
            },
            limit=Limit(
                look=60,
                runbook="CredentialStuffing",
                watched=measures.guesses,
                says="failed, more than three for each that succeeds",
            ),
        ),
        Plan(
            name="signUps",
            title="Registrations",
            about="Refused: the address has an account already.",
            unit="per minute",
            lines={
                "registered": rate("sign_ups registered", "per minute"),
                "refused": rate("sign_ups taken", "per minute"),
            },
        ),
        Plan(
            name="refreshes",
            title="Sessions that went on",
            about="Reused: an old refresh token came again, and its session was ended.",
            unit="per minute",
            lines={
                "refreshed": rate("refreshes rotated", "per minute"),
                "answered again": rate("refreshes repeated", "per minute"),
                "refused": rate("refreshes", "per minute", but=_GOOD_REFRESHES),
                "reused": rate("refreshes reused", "per minute"),
            },
            limit=Limit(
                look=0.01,
                runbook="RefreshTokenReuse",
                watched=rate("refreshes reused", "per minute"),
                says="reused",
            ),
        ),
    ),
    "Jobs and letters": (
        Plan(
            name="jobs",
            title="Jobs",
            about="By how they ended. Put back: the server they need is away, or a worker stopped.",
            unit="per minute",
            lines={
                "done": rate("jobs done", "per minute"),
                "tried again": rate("jobs retried", "per minute"),
                "given up": rate("jobs dead", "per minute"),
                "put back": rate("jobs", "per minute", but=("done", "retried", "dead")),
            },
            limit=Limit(
                look=0.1,
                act=0.5,
                runbook="JobFailureRatioHigh",
                watched=ratio(("jobs retried", "jobs dead"), _TRIES, floor=5),
                says="tried again or given up",
                unit="ratio",
            ),
        ),
        Plan(
            name="queues",
            title="Queues",
            about="Jobs of all queues that wait or run, and those that were given up.",
            unit="count",
            lines={
                "waiting": all_of("depth", "pending", "handed_over"),
                "given up": all_of("depth", "dead"),
            },
            limit=Limit(
                look=1,
                runbook="DeadJobsGrowing",
                watched=all_of("depth", "dead"),
                says="jobs given up",
            ),
        ),
        Plan(
            name="oldestJob",
            title="Oldest job",
            about="Age of the oldest job of any queue that is due and not done.",
            unit="seconds",
            lines={"age": highest("oldest")},
            limit=Limit(look=60, act=300, runbook="QueueOldestOld"),
        ),
        Plan(
            name="outbox",
            title="Outbox",
            about="Age of the oldest promise that no relay has handed to the workers.",
            unit="seconds",
            lines={"age": gauge("outbox_oldest")},
            limit=Limit(look=15, act=60, runbook="OutboxStalled"),
        ),
        Plan(
            name="letters",
            title="Letters",
            about="Lost: bounced or failed. Withheld: enough to one recipient in an hour.",
            unit="per minute",
            lines={
                "handed over": rate("letters handed_over", "per minute"),
                "bounced": rate("letters bounced", "per minute"),
                "failed": rate("letters failed", "per minute"),
                "withheld": rate("letters withheld", "per minute"),
            },
            limit=Limit(
                look=0.1,
                act=0.5,
                runbook="LetterFailureRatioHigh",
                watched=ratio(("letters failed", "letters bounced"), _SENT, floor=5),
                says="lost",
                unit="ratio",
            ),
        ),
        Plan(
            name="jobWait",
            title="Wait for a worker, 95th percentile",
            about="From when a job was due to when a worker began with it.",
            unit="seconds",
            lines={"p95": quantile(0.95, "job_wait")},
            limit=Limit(look=30, act=120, runbook="JobWaitHigh"),
        ),
    ),
    "Audit": (
        Plan(
            name="sealLag",
            title="Seal lag",
            about="Age of the oldest audit event that is not sealed into the ledger.",
            unit="seconds",
            lines={"age": gauge("seal_lag")},
            limit=Limit(look=30, act=60, runbook="AuditLagHigh"),
        ),
        Plan(
            name="unsealed",
            title="Events to seal",
            about="Audit events that wait to be sealed into the ledger.",
            unit="count",
            lines={"events": gauge("unsealed")},
        ),
        Plan(
            name="verified",
            title="Last verification",
            about="Since the ledger was last verified, or since that was first due.",
            unit="seconds",
            lines={"age": measures.since_verified},
            limit=Limit(look=30 * _HOUR, runbook="ClockTaskMissed"),
        ),
    ),
    "Databases and processes": (
        Plan(
            name="connections",
            title="PostgreSQL connections",
            about="Of all processes together: working, open, and the most they may open.",
            unit="count",
            lines={
                "working": measures.in_use,
                "open": gauge("connections open"),
                "most": gauge("connections max"),
            },
        ),
        Plan(
            name="poolWait",
            title="Wait for a connection, 95th percentile",
            about="After a second the caller gets 503.",
            unit="seconds",
            lines={"p95": quantile(0.95, "acquire")},
            limit=Limit(look=0.05, act=0.25, runbook="PoolExhausted"),
        ),
        Plan(
            name="redisErrors",
            title="Redis errors",
            about="Commands that failed. Requests are served without Redis; jobs wait.",
            unit="per minute",
            lines={"errors": rate("redis_errors", "per minute")},
            limit=Limit(look=3, act=30, runbook="RedisErrors"),
        ),
        Plan(
            name="loopLag",
            title="Event loop lag",
            about="The latest that a process ran in the 15 seconds before: its work waits as long.",
            unit="seconds",
            lines={"lag": gauge("loop_lag")},
            limit=Limit(look=0.25, act=1.0, runbook="EventLoopLagHigh"),
        ),
        Plan(
            name="cpu",
            title="Processor time",
            about="Of all processes of ours together; 100 % is one core.",
            unit="ratio",
            lines={"cores": rate("cpu", "per second")},
        ),
        Plan(
            name="memory",
            title="Memory",
            about="Of all processes of ours together; the databases' is not in it.",
            unit="bytes",
            lines={"resident": gauge("memory")},
        ),
    ),
}
