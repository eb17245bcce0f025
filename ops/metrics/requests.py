"""Metrics of requests; the names are OpenTelemetry's for HTTP where it has one."""

from ops.metrics.declared import Catalogue


class RequestMetrics(Catalogue):
    """What callers ask, and what they are told."""

    def __init__(self) -> None:
        super().__init__()
        self._asked()
        self._refused()

    def _asked(self) -> None:
        self.request_seconds = self._histogram(
            "http_server_request_duration_seconds",
            "Time from the request's headers until its answer is ready; streams to their end.",
            "http_request_method",
            "http_route",
        )
        # Apart from the histogram: a status there would be ten buckets for each.
        self.requests = self._counter(
            "http_server_requests_total",
            "Requests answered.",
            "http_request_method",
            "http_route",
            "http_response_status_code",
        )
        self.requests_active = self._gauge(
            "http_server_active_requests", "Requests being answered now."
        )
        # A number of the loop's own: a gauge has a lock, which every request would take twice.
        self.active_requests = 0
        self.slow_requests = self._counter(
            "ostiary_slow_requests_total",
            "Requests that took longer than SLOW_REQUEST_MS, streams apart; each has a log line.",
        )
        self.deprecated_requests = self._counter(
            "ostiary_deprecated_requests_total",
            "Requests to routes that will go.",
            "http_request_method",
            "http_route",
        )

    def _refused(self) -> None:
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
