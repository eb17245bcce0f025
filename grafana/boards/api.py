"""API: rate, errors and duration of every route, and what is refused."""

from grafana import signals
from grafana.board import Row, board, choice
from grafana.panels import above, graph, heat, stack, stat, table
from grafana.promql import added, each, ours, quantile, rate, ratio, total

_ROUTE = 'http_route=~"$route"'
_REQUESTS = ours("http_server_requests_total", _ROUTE)
_SERVER_ERRORS = ours("http_server_requests_total", _ROUTE, 'http_response_status_code=~"5.."')
_CALLER_ERRORS = ours("http_server_requests_total", _ROUTE, 'http_response_status_code=~"4.."')
_ASKED = f"sum by (http_route) ({rate(_REQUESTS)})"
_FAILING = f"sum by (http_route) ({rate(_SERVER_ERRORS)})"
_DURATION = "http_server_request_duration_seconds"


def _percentile(share: float, by: str = "") -> str:
    return quantile(share, _DURATION, _ROUTE, by=by)


_NOW = Row(
    "Now, on the routes chosen",
    stat(
        "Requests a second",
        "Far below what is usual: callers do not reach us. Look at the proxy in front.",
        expr=total(_REQUESTS),
        unit="reqps",
    ),
    stat(
        "Server errors",
        "Share of answers with a 5xx status. Above 0.1 %: find the route below and its request"
        " ids in the logs.",
        expr=ratio(total(_SERVER_ERRORS), total(_REQUESTS)),
        unit="percentunit",
        limits=above(warn=0.001, alarm=0.02),
        alerts=("ErrorBudgetBurnFast",),
    ),
    stat(
        "Refused as the caller's mistake",
        "Share of answers with a 4xx status. A jump after a release of a client: its mistake.",
        expr=ratio(total(_CALLER_ERRORS), total(_REQUESTS)),
        unit="percentunit",
        limits=above(warn=0.5),
    ),
    stat(
        "95th percentile",
        "Nineteen of twenty requests took at most this long. Choose a route to see its own.",
        expr=_percentile(0.95),
        unit="s",
        limits=above(warn=0.25, alarm=1),
        alerts=("LatencyBudgetBurn",),
    ),
    stat(
        "Being answered now",
        "Requests in flight. Growing without more traffic: something they wait for is slow.",
        expr=added(ours("http_server_active_requests")),
        unit="short",
    ),
    stat(
        "Slow requests a second",
        "Each one has a line `slow request` in the log with its request id: start there.",
        expr=total(ours("ostiary_slow_requests_total")),
        unit="reqps",
        limits=above(warn=0.1),
    ),
)

_RATE = Row(
    "Rate",
    stack(
        "Requests by route",
        "One route far above the others: a client in a loop, or an attack. See who in the logs.",
        lines={"{{http_route}}": each(_REQUESTS, by="http_route")},
        unit="reqps",
        width=12,
    ),
    stack(
        "Answers by status",
        "503 is PostgreSQL away or too many at once, 500 a bug of ours, 429 a limit.",
        lines={"{{http_response_status_code}}": each(_REQUESTS, by="http_response_status_code")},
        unit="reqps",
        width=12,
    ),
)

_ERRORS = Row(
    "Errors",
    graph(
        "Server errors by route",
        "Only one route: its code or SQL. All routes: PostgreSQL, or a release.",
        lines={"{{http_route}}": each(_SERVER_ERRORS, by="http_route")},
        unit="reqps",
        alerts=("ErrorBudgetBurnMedium", "SignInServerErrors"),
    ),
    graph(
        "Callers' mistakes by route",
        "A rise on one route after a release: a client that sends something else than before.",
        lines={"{{http_route}}": each(_CALLER_ERRORS, by="http_route")},
        unit="reqps",
    ),
    graph(
        "Errors told to callers",
        "By code, as docs/ERRORS.md lists and explains them.",
        lines={"{{code}}": each(ours("ostiary_problems_total"), by="code")},
        unit="reqps",
    ),
)

_TIME = Row(
    "Duration",
    graph(
        "Percentiles",
        "Of the routes chosen. The median rises too: everything is slow, see Processes and"
        " PostgreSQL. Only the highest: few requests wait for something.",
        lines={"50 %": _percentile(0.5), "95 %": _percentile(0.95), "99 %": _percentile(0.99)},
        unit="s",
        alerts=("LatencyBudgetBurn",),
    ),
    graph(
        "95th percentile by route",
        "One route slow: its SQL, see the operations on PostgreSQL and Redis.",
        lines={"{{http_route}}": _percentile(0.95, by="http_route")},
        unit="s",
        alerts=("LatencyBudgetBurn",),
    ),
    heat(
        "How long requests took",
        "Two bands are two kinds of request: choose routes until one is left.",
        expr=f"sum by (le) (increase({ours(f'{_DURATION}_bucket', _ROUTE)}[$__rate_interval]))",
        unit="s",
    ),
    table(
        "Routes",
        "Sort by a column to find the busiest, the slowest, the one that fails.",
        columns={
            "Requests": (_ASKED, "reqps"),
            "Server errors": (f"{_FAILING} or 0 * {_ASKED}", "reqps"),
            "95th percentile": (_percentile(0.95, by="http_route"), "s"),
        },
    ),
)

_REFUSALS = Row(
    "What is refused or will go",
    graph(
        "Refused by a limit",
        "By policy. `unchecked` is what was let through uncounted because Redis was away: see"
        " PostgreSQL and Redis.",
        lines={
            "{{policy}}": signals.REFUSED_BY_POLICY,
            "unchecked": signals.UNCHECKED_LIMITS,
        },
        unit="reqps",
        alerts=("UntrustedProxy",),
    ),
    graph(
        "Bodies refused",
        "`too_large`: a client sends more than is allowed, or somebody tries.",
        lines={"{{reason}}": signals.BODIES_REFUSED},
        unit="reqps",
    ),
    graph(
        "Calls of routes that will go",
        "Above 0: a client uses a deprecated route; the log names who. Tell them before it goes.",
        lines={"{{http_route}}": each(ours("ostiary_deprecated_requests_total"), by="http_route")},
        unit="reqps",
    ),
    graph(
        "Access tokens checked",
        "`refused` rises: tokens that ended or were forged. `looked_up` near all: the memory of"
        " sessions is too small or processes restart.",
        lines={"{{result}}": signals.ACCESS_TOKENS_CHECKED},
        unit="reqps",
    ),
)

API = board(
    "ostiary-api",
    "Ostiary / API",
    description="Rate, errors and duration of every route, and what is refused.",
    rows=(_NOW, _RATE, _ERRORS, _TIME, _REFUSALS),
    choices=(choice("route", "http_server_requests_total", label="http_route"),),
)
