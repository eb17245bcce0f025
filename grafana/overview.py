"""The overview: is it well, and if not, where to look."""

from grafana.model import Dashboard, Panel, Query, Row

_ALL = '{job="ostiary"}'
_MINE = '{job="ostiary", process=~"$process"}'
_SPAN = "[$__rate_interval]"


def _rate(metric: str, by: str, selector: str = _ALL) -> str:
    """Sum a counter's rate by a label; 0 as long as there is none."""
    return f"sum by ({by}) (rate({metric}{selector}{_SPAN})) or on() vector(0)"


def _p95(histogram: str, by: str, selector: str = _ALL) -> str:
    buckets = f"rate({histogram}_bucket{selector}{_SPAN})"
    return f"histogram_quantile(0.95, sum by (le, {by}) ({buckets}))"


_FAILED = '{job="ostiary", http_route!~"/health.*", http_response_status_code=~"5.."}'
_COUNTED = '{job="ostiary", http_route!~"/health.*"}'
_ERROR_RATIO = (
    f"(sum(rate(http_server_requests_total{_FAILED}{_SPAN})) or vector(0))"
    f" / clamp_min(sum(rate(http_server_requests_total{_COUNTED}{_SPAN})) or vector(0), 0.001)"
)

_HEALTH = Row(
    title="Is it well?",
    panels=(
        Panel(
            title="Processes down",
            description="More than 0: a process is gone or hangs. See docs/runbooks/TargetDown.md.",
            unit="short",
            kind="stat",
            width=4,
            height=4,
            alarm=1,
            queries=(Query('count(up{job="ostiary"} == 0) or vector(0)'),),
        ),
        Panel(
            title="Requests a second",
            description="Far below what is usual at this hour: look at the proxy in front, at DNS.",
            unit="reqps",
            kind="stat",
            width=4,
            height=4,
            queries=(Query(f"sum(rate(http_server_requests_total{_ALL}{_SPAN})) or vector(0)"),),
        ),
        Panel(
            title="Server errors",
            description=(
                "Share of answers with a 5xx status, health checks left out."
                " Above 2 %: docs/runbooks/ServerErrorRatioHigh.md."
            ),
            unit="percentunit",
            kind="stat",
            width=4,
            height=4,
            warn=0.005,
            alarm=0.02,
            queries=(Query(_ERROR_RATIO),),
        ),
        Panel(
            title="Oldest promise not handed over",
            description="Above 60 s: the relay stands still. See docs/runbooks/OutboxStalled.md.",
            unit="s",
            kind="stat",
            width=4,
            height=4,
            warn=10,
            alarm=60,
            queries=(Query(f"max(ostiary_outbox_oldest_seconds{_ALL})"),),
        ),
        Panel(
            title="Dead jobs",
            description="Jobs that were given up. Read why: docs/runbooks/DeadJobsGrowing.md.",
            unit="short",
            kind="stat",
            width=4,
            height=4,
            warn=1,
            queries=(
                Query(
                    'sum(max by (queue) (ostiary_queue_depth{job="ostiary", state="dead"}))'
                    " or vector(0)"
                ),
            ),
        ),
        Panel(
            title="Versions running",
            description="More than 1 for longer than a roll-out: some processes are old.",
            unit="short",
            kind="stat",
            width=4,
            height=4,
            warn=2,
            queries=(Query(f"count(count by (version) (ostiary_build_info{_ALL}))"),),
        ),
    ),
)

_REQUESTS = Row(
    title="Requests",
    panels=(
        Panel(
            title="Requests by status",
            description="A rise of 5xx: look at the errors in the logs, by request id.",
            unit="reqps",
            queries=(
                Query(
                    _rate("http_server_requests_total", "http_response_status_code"),
                    "{{http_response_status_code}}",
                ),
            ),
        ),
        Panel(
            title="95th percentile by route",
            description=(
                "One route slow: its SQL. All slow: event loop lag, connections, hashing below."
            ),
            unit="s",
            queries=(
                Query(_p95("http_server_request_duration_seconds", "http_route"), "{{http_route}}"),
            ),
        ),
        Panel(
            title="Errors told to callers",
            description="By code, as docs/ERRORS.md lists them. A jump after a release: a client.",
            unit="reqps",
            queries=(Query(_rate("ostiary_problems_total", "code"), "{{code}}"),),
        ),
    ),
)

_SIGN_IN = Row(
    title="Sign-in",
    panels=(
        Panel(
            title="Sign-ins by result",
            description="Many failures: somebody guesses passwords. Look at addresses in the logs.",
            unit="reqps",
            queries=(
                Query(_rate("ostiary_login_attempts_total", "result"), "sign-in {{result}}"),
                Query(_rate("ostiary_signups_total", "result"), "sign-up {{result}}"),
            ),
        ),
        Panel(
            title="Requests refused by a limit",
            description=(
                "By policy. `unchecked` is what was let through uncounted because Redis was away."
            ),
            unit="reqps",
            queries=(
                Query(_rate("ostiary_rate_limited_total", "policy"), "{{policy}}"),
                Query(
                    f"sum(rate(ostiary_rate_limit_unchecked_total{_ALL}{_SPAN})) or vector(0)",
                    "unchecked",
                ),
            ),
        ),
        Panel(
            title="Password hashing",
            description=(
                "Time of one hash (95th percentile), and how many wait. A standing queue: more"
                " cores, or HASH_SLOTS is too low; who waits over 1.5 s is answered 503."
            ),
            unit="s",
            queries=(
                Query(_p95("ostiary_password_hash_seconds", "op"), "{{op}}"),
                Query(f"sum(ostiary_password_hash_queue{_ALL})", "waiting (count)"),
            ),
        ),
    ),
)

_JOBS = Row(
    title="Jobs and letters",
    panels=(
        Panel(
            title="Jobs by outcome",
            description=(
                "`dead` was given up, `waiting` found its server away. The outbox has the reasons."
            ),
            unit="ops",
            queries=(Query(_rate("ostiary_jobs_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            title="Oldest job that is due, by queue",
            description="Above 5 minutes: docs/runbooks/QueueOldestOld.md.",
            unit="s",
            queries=(Query(f"max by (queue) (ostiary_queue_oldest_seconds{_ALL})", "{{queue}}"),),
        ),
        Panel(
            title="Wait from due to start (95th percentile)",
            description="Rising while nothing fails: run more processes of this queue.",
            unit="s",
            queries=(Query(_p95("ostiary_job_wait_seconds", "queue"), "{{queue}}"),),
        ),
        Panel(
            title="Jobs not done, by queue and state",
            description="`pending` waits for the relay, `handed_over` for a worker.",
            unit="short",
            queries=(
                Query(f"max by (queue, state) (ostiary_queue_depth{_ALL})", "{{queue}} {{state}}"),
            ),
        ),
        Panel(
            title="Letters by outcome",
            description="`failed`: the mail server refused for good; table letters says why.",
            unit="ops",
            queries=(
                Query(
                    _rate("ostiary_letters_total", "template, outcome"),
                    "{{template}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            title="Broker messages",
            description=(
                "`recalled`: Redis lost messages and they were offered again. Quarantined:"
                " somebody else writes into our Redis."
            ),
            unit="ops",
            queries=(
                Query(_rate("ostiary_outbox_relayed_total", "result"), "{{result}}"),
                Query(
                    f"sum(rate(ostiary_messages_quarantined_total{_ALL}{_SPAN})) or vector(0)",
                    "quarantined",
                ),
            ),
        ),
    ),
)

_RESOURCES = Row(
    title="Processes and servers",
    panels=(
        Panel(
            title="Wait for a PostgreSQL connection (95th percentile)",
            description="Above 250 ms: docs/runbooks/PoolExhausted.md.",
            unit="s",
            queries=(
                Query(_p95("db_client_acquire_duration_seconds", "process", _MINE), "{{process}}"),
            ),
        ),
        Panel(
            title="PostgreSQL connections",
            description="Open at DB_POOL_SIZE and none idle: the pool is used up.",
            unit="short",
            queries=(
                Query(
                    f"sum by (process, state) (db_client_connections{_MINE})",
                    "{{process}} {{state}}",
                ),
            ),
        ),
        Panel(
            title="Redis errors",
            description="Standing above 0: Redis is away. See docs/runbooks/RedisErrors.md.",
            unit="ops",
            queries=(Query(_rate("redis_client_errors_total", "process", _MINE), "{{process}}"),),
        ),
        Panel(
            title="Event loop lag",
            description="Above 100 ms: docs/runbooks/EventLoopLagHigh.md. Web processes only.",
            unit="s",
            queries=(
                Query(
                    'event_loop_lag_seconds{job="ostiary", process_type="web",'
                    ' process=~"$process"}',
                    "{{process}}",
                ),
            ),
        ),
        Panel(
            title="Memory",
            description="Growing for hours without more load: a leak. Restart it, report it.",
            unit="bytes",
            queries=(Query(f"process_resident_memory_bytes{_MINE}", "{{process}}"),),
        ),
        Panel(
            title="Processor",
            description="1 is a whole core. Web processes at 1: run more, or more machines.",
            unit="short",
            queries=(Query(f"rate(process_cpu_seconds_total{_MINE}{_SPAN})", "{{process}}"),),
        ),
    ),
)

OVERVIEW = Dashboard(
    uid="ostiary-overview",
    title="Ostiary: overview",
    description="Is it well, and if not, where to look. Made by python -m grafana.generate.",
    rows=(_HEALTH, _REQUESTS, _SIGN_IN, _JOBS, _RESOURCES),
)
