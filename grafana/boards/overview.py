"""Overview and SLO: is it well, does it keep its promise, and if not, where to look."""

from grafana import signals
from grafana.board import Row, board
from grafana.panels import above, below, figure, graph, stack, stat, table
from grafana.promql import house

_BUDGET_ALERTS = ("ErrorBudgetBurnFast", "ErrorBudgetBurnMedium", "ErrorBudgetBurnSlow")
# One request in a thousand may end in a server error (docs/alerts.md, "Service levels").
_ERRORS_ALLOWED = 0.001
_AVAILABILITY = 'slo="availability"'


def _recorded(kind: str, *matchers: str) -> str:
    """Select what prometheus/rules/recording.yml keeps, since raw counters of weeks are many."""
    return house(f"job_slo:http_requests{kind}", *matchers)


def _burn(span: str) -> str:
    ratio = _recorded(f"_bad:ratio_rate{span}", _AVAILABILITY)
    return f"max({ratio}) / {_ERRORS_ALLOWED} or vector(0)"


def _in_time(slo: str) -> str:
    late = _recorded("_bad:ratio_rate5m", f'slo="{slo}"')
    return f"1 - max({late}) or vector(1)"


_BAD_IN_RANGE = (
    f"(sum(sum_over_time({_recorded('_bad:rate5m', _AVAILABILITY)}[$__range]))"
    f" / (sum(sum_over_time({_recorded(':rate5m', _AVAILABILITY)}[$__range])) > 0) or vector(0))"
)

_HEALTH = Row(
    "Is it well?",
    stat(
        "Alerts that fire",
        "More than 0: the table at the end names them; each has a runbook.",
        expr='count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)',
        unit="short",
        limits=above(warn=1, alarm=3),
    ),
    stat(
        "Processes down",
        "More than 0: a process is gone or hangs. The processes dashboard says which.",
        expr=signals.PROCESSES_DOWN,
        unit="short",
        limits=above(alarm=1),
        alerts=("TargetDown", "NoTargets", "ProcessMissing"),
    ),
    stat(
        "Requests a second",
        "Far below what is usual at this hour: look at the proxy in front, at DNS.",
        expr=signals.REQUESTS,
        unit="reqps",
    ),
    stat(
        "Server errors",
        "Share of answers with a 5xx status now, health checks left out. Look at the API"
        " dashboard for the route, then at the logs for its request ids.",
        expr=signals.SERVER_ERROR_RATIO,
        unit="percentunit",
        limits=above(warn=0.001, alarm=0.0144),
        alerts=_BUDGET_ALERTS,
    ),
    stat(
        "95th percentile",
        "Nineteen of twenty requests were answered within this time. Above 250 ms: look at"
        " the API dashboard for one slow route, at Processes when all are slow.",
        expr=signals.latency(0.95),
        unit="s",
        limits=above(warn=0.25, alarm=1),
        alerts=("LatencyBudgetBurn",),
    ),
    stat(
        "Versions running",
        "More than 1 for longer than a roll-out: some processes are old. Restart them.",
        expr=signals.VERSIONS,
        unit="short",
        limits=above(warn=2),
    ),
    stat(
        "Sign-ins that fail",
        "Share of all that were tried. Above a half: somebody guesses, or a client is broken;"
        " see Sign-in and security.",
        expr=signals.SIGN_IN_FAILURE_RATIO,
        unit="percentunit",
        limits=above(warn=0.5, alarm=0.75),
        alerts=("CredentialStuffing",),
    ),
    stat(
        "Oldest promise not handed over",
        "Above 60 s: the relay stands still and no letter leaves.",
        expr=signals.OLDEST_PROMISE,
        unit="s",
        limits=above(warn=10, alarm=60),
        alerts=("OutboxStalled",),
    ),
    stat(
        "Dead jobs",
        "Jobs that were given up. Read why with `python -m workers status`, then retry or"
        " discard them.",
        expr=signals.DEAD_JOBS,
        unit="short",
        limits=above(warn=1),
        alerts=("DeadJobsGrowing",),
    ),
    stat(
        "Audit ledger intact",
        "No: a row is not what was sealed. Leave the database as it is and follow the runbook.",
        expr=signals.CHAIN_VALID,
        unit="bool_yes_no",
        limits=below(alarm=1),
        alerts=("AuditChainBroken",),
    ),
    stat(
        "Sessions not ended",
        "A fall to nothing: sessions were ended for everybody, or nobody can sign in.",
        expr=signals.SESSIONS,
        unit="short",
    ),
    stat(
        "Event loop lag",
        "The latest that a process ran in the 15 seconds before. Above 250 ms for minutes its"
        " requests wait; above 10 s it hangs: replace it.",
        expr=signals.HIGHEST_LOOP_LAG,
        unit="s",
        limits=above(warn=0.25, alarm=1.0),
        alerts=("EventLoopLagHigh",),
    ),
)

_PROMISE = Row(
    "Does it keep its promise: 99.9 % without a server error, 99 % in time?",
    figure(
        "Requests without a server error",
        "In the time chosen above. Below 99.9 % the promise is broken: ship nothing risky until"
        " it is kept again.",
        expr=f"1 - {_BAD_IN_RANGE}",
        unit="percentunit",
        limits=below(warn=0.9995, alarm=0.999),
        alerts=_BUDGET_ALERTS,
    ),
    figure(
        "Error budget left",
        "Of what the time chosen above allows; choose 30 days to judge. Below 0: spent.",
        expr=f"1 - {_BAD_IN_RANGE} / {_ERRORS_ALLOWED}",
        unit="percentunit",
        limits=below(warn=0.5, alarm=0.1),
        alerts=_BUDGET_ALERTS,
    ),
    graph(
        "How fast the error budget burns",
        "1 spends the budget of 30 days in 30 days, 14.4 in two. Both short and long lines high:"
        " it goes on.",
        lines={span: _burn(span) for span in ("5m", "1h", "6h", "3d")},
        unit="short",
        limits=above(warn=3, alarm=14.4),
        alerts=_BUDGET_ALERTS,
    ),
    graph(
        "Requests in time",
        "Share within 250 ms, and of what hashes a password within 1 s. Below 99 %: look for"
        " the slow route on the API dashboard.",
        lines={"within 250 ms": _in_time("latency"), "sign-in within 1 s": _in_time("sign_in")},
        unit="percentunit",
        limits=below(alarm=0.99),
        alerts=("LatencyBudgetBurn",),
    ),
)

_TRAFFIC = Row(
    "What it does",
    stack(
        "Requests by status",
        "A rise of 5xx: look at the errors in the logs, by request id. Of 429: a limit; of 401:"
        " tokens that ended, or somebody guesses.",
        lines={"{{http_response_status_code}}": signals.REQUESTS_BY_STATUS},
        unit="reqps",
    ),
    graph(
        "Time to answer",
        "All lines rise: the event loop, PostgreSQL or the hashing of passwords. Only the"
        " highest: one route.",
        lines={
            "50 %": signals.latency(0.5),
            "95 %": signals.latency(0.95),
            "99 %": signals.latency(0.99),
        },
        unit="s",
        alerts=("LatencyBudgetBurn",),
    ),
    graph(
        "Sign-ins and sign-ups",
        "By result. Many failures: see Sign-in and security for what holds them back.",
        lines={
            "sign-in {{result}}": signals.SIGN_INS_BY_RESULT,
            "sign-up {{result}}": signals.SIGN_UPS_BY_RESULT,
        },
        unit="ops",
        alerts=("SignInServerErrors",),
    ),
    graph(
        "Jobs by outcome",
        "`dead` was given up, `waiting` found its server away: see Jobs and letters.",
        lines={"{{outcome}}": signals.JOBS_BY_OUTCOME},
        unit="ops",
        alerts=("JobFailureRatioHigh",),
    ),
    graph(
        "Letters by outcome",
        "`failed` and `bounced`: the mail server refused for good; table letters says why.",
        lines={"{{outcome}}": signals.LETTERS_BY_OUTCOME},
        unit="ops",
        alerts=("LetterFailureRatioHigh",),
    ),
    graph(
        "Oldest job that is due, by queue",
        "Above 5 minutes: start more workers for this queue, or release it if it is held.",
        lines={"{{queue}}": signals.OLDEST_BY_QUEUE},
        unit="s",
        limits=above(alarm=300),
        alerts=("QueueOldestOld",),
    ),
)

_ALERTS = Row(
    "What fires",
    table(
        "Alerts that fire now",
        "All alerts of this Prometheus. Watchdog always fires: while it is missing here, no"
        " alert reaches anybody.",
        columns={"Firing": ('ALERTS{alertstate="firing"}', "short")},
        alerts=("Watchdog",),
    ),
)

OVERVIEW = board(
    "ostiary-overview",
    "Ostiary / Overview and SLO",
    description="Is it well, does it keep its promise, and if not, where to look.",
    rows=(_HEALTH, _PROMISE, _TRAFFIC, _ALERTS),
)
