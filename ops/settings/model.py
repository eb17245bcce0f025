"""Every setting: its name, kind, default, help and the older names it also answers to."""

import os
from dataclasses import dataclass
from pathlib import Path

from ops.crypto import KeyRing
from ops.settings import kinds
from ops.settings.declare import Environment, LogFormat, LogLevel, TraceSampler, setting
from ops.settings.service import ServiceSettings

_HOUR, _DAY, _EVER = 3_600, 86_400, 36_500 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """All settings, as read from the environment; the field name in capitals is the variable."""

    outbox_retention: int = setting(
        kinds.duration(_HOUR, _EVER), "7d", "how long done jobs are kept", section="Seeing it"
    )
    letter_retention: int = setting(
        kinds.duration(7 * _DAY, _EVER), "90d", "how long letters are kept", section="Seeing it"
    )
    audit_retention: int = setting(
        kinds.duration(0, 36_500 * _DAY),
        "0s",
        "age from which whole months of the audit ledger are dropped, such as 400d; 0s: never",
        section="Seeing it",
    )
    log_level: LogLevel = setting(
        kinds.choice(LogLevel), "info", "debug, info, warning or error", section="Seeing it"
    )
    log_format: LogFormat = setting(
        kinds.choice(LogFormat), "auto", "auto, json or text", section="Seeing it"
    )
    log_dir: str = setting(
        kinds.text, "", "folder for rotated log files beside the output", section="Seeing it"
    )
    slow_query_ms: int = setting(
        kinds.integer(0, 3_600_000),
        "200",
        "milliseconds from which a statement to PostgreSQL gets a line in the log; 0: none does",
        section="Seeing it",
    )
    slow_request_ms: int = setting(
        kinds.integer(0, 3_600_000),
        "1000",
        "milliseconds from which a request gets a line in the log; 0: none does",
        section="Seeing it",
    )
    metrics_host: str = setting(
        kinds.text, "127.0.0.1", "address of the metrics listeners", section="Seeing it"
    )
    metrics_port: int = setting(
        kinds.integer(0, 65_535),
        "0",
        "port of this process's metrics; 0 takes a free one and announces it",
        section="Seeing it",
    )
    otel_exporter_otlp_endpoint: str = setting(
        kinds.url("http", "https"),
        "",
        "OpenTelemetry collector that takes traces over HTTP; unset: no traces (docs/tracing.md)",
        section="Seeing it",
        example="http://127.0.0.1:4318",
    )
    otel_exporter_otlp_headers: tuple[tuple[str, str], ...] = setting(
        kinds.pairs,
        "",
        "headers the collector asks for: name=value, comma separated",
        section="Seeing it",
        secret=True,
    )
    otel_service_name: str = setting(
        kinds.text, "ostiary", "what traces call this service", section="Seeing it"
    )
    otel_traces_sampler: TraceSampler = setting(
        kinds.choice(TraceSampler),
        "traceidratio",
        "which requests are traced: traceidratio, always_on, always_off; with parentbased_ in front"
        " a caller's traceparent decides",
        section="Seeing it",
    )
    otel_traces_sampler_arg: float = setting(
        kinds.share, "1", "share of requests that traceidratio takes", section="Seeing it"
    )
    sentry_dsn: str = setting(
        kinds.dsn,
        "",
        "Sentry project that is told of unexpected errors; unset: none is (docs/tracing.md)",
        section="Seeing it",
        secret=True,
        example="https://key@sentry.example.com/1",
    )

    warnings: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """The state folder, absolute."""
        return Path(self.ostiary_home).expanduser().resolve()

    @property
    def base_url(self) -> str:
        """PUBLIC_URL, or where a browser on this machine finds us; no trailing slash."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def keyring(self) -> KeyRing:
        """The secret keys, ready for use."""
        return KeyRing(self.secret_keys)

    @property
    def processes(self) -> int:
        """Web processes to run: WEB_PROCESSES, or one a core."""
        return self.web_processes or os.cpu_count() or 1

    @property
    def in_production(self) -> bool:
        """Whether what is only good for trying things out is refused."""
        return self.environment is Environment.PRODUCTION
