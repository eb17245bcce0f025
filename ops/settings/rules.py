"""Rules between settings: what cannot stand together, and what production refuses."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address

from ops.extras import ERROR_REPORTS, TRACES, installed
from ops.settings.model import Settings

_MIN_TOKEN = 24
_MIN_SECRET = 32
_EXAMPLES = ("change-this", "changeme", "your-", "<secure", "example", "secret-key")

Rule = Callable[[Settings, Mapping[str, str]], str | None]

_SECRETS = ("JWT_SECRET", "OPS_TOKEN", "ADMIN_PASSWORD", "DB_PASSWORD")


def broken_rules(settings: Settings, given: Mapping[str, str]) -> list[str]:
    """Return one sentence per broken rule; `given` are the raw values, for aliases."""
    rules = (*_ALWAYS, *(_IN_PRODUCTION if settings.in_production else ()))
    broken = [sentence for rule in rules if (sentence := rule(settings, given))]
    return broken + (_example_secrets(given) if settings.in_production else [])


def doubtful_rules(settings: Settings) -> tuple[str, ...]:
    """Return one sentence per combination that works, but hardly as it was meant."""
    told = (_proxies_named(settings), *_missing_packages(settings))
    return tuple(sentence for sentence in told if sentence)


def _proxies_named(settings: Settings) -> str | None:
    if not settings.in_production or settings.trusted_proxies or not _on_loopback(settings.host):
        return None
    return (
        f"TRUSTED_PROXIES is not set, and HOST={settings.host} is reached through a proxy only: all"
        " callers count as one for the limits; let the proxy send X-Forwarded-For and set"
        " TRUSTED_PROXIES=127.0.0.1,::1"
    )


def _missing_packages(settings: Settings) -> list[str]:
    wanted = (
        ("OTEL_EXPORTER_OTLP_ENDPOINT", settings.otel_exporter_otlp_endpoint, TRACES),
        ("SENTRY_DSN", settings.sentry_dsn, ERROR_REPORTS),
    )
    return [
        f"{name} is set, and the packages for it are not installed: nothing is sent;"
        " install them with `make telemetry`"
        for name, value, package in wanted
        if value and not installed(package)
    ]


def _on_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys_for_own_database(settings: Settings, given: Mapping[str, str]) -> str | None:
    if given.get("DATABASE_URL") and not settings.secret_keys:
        return (
            "SECRET_KEYS: required with a DATABASE_URL of your own; print one with `make key`"
            " and keep it outside the database's backups"
        )
    return None


def _admin_pair(settings: Settings, _: Mapping[str, str]) -> str | None:
    if bool(settings.admin_email) != bool(settings.admin_password):
        return "ADMIN_EMAIL, ADMIN_PASSWORD: set both, or none for a set-up link"
    return None


def _ops_token_long(settings: Settings, _: Mapping[str, str]) -> str | None:
    if settings.ops_token and len(settings.ops_token) < _MIN_TOKEN:
        return "OPS_TOKEN: shorter than 24 characters; print one with `make key`"
    return None


def _public_url_https(settings: Settings, _: Mapping[str, str]) -> str | None:
    if not settings.public_url.startswith("https://"):
        return "PUBLIC_URL: production needs an https:// address, letters and tokens carry it"
    return None


def _no_wildcard_origin(settings: Settings, _: Mapping[str, str]) -> str | None:
    if "*" in settings.allowed_origins:
        return "ALLOWED_ORIGINS=*: production answers with credentials; list the exact origins"
    return None


def _failures_limited(settings: Settings, _: Mapping[str, str]) -> str | None:
    if settings.rate_limit_auth_failures is None:
        return "RATE_LIMIT_AUTH_FAILURES=off: production needs a limit such as 5/15m"
    return None


def _letters_leave(settings: Settings, _: Mapping[str, str]) -> str | None:
    if not settings.smtp_url:
        return "SMTP_URL: production needs one, else nobody gets a letter"
    return None


def _example_secrets(given: Mapping[str, str]) -> list[str]:
    broken = [
        f"{name}: this is the value of an example; make your own (`make key`)"
        for name in _SECRETS
        if any(mark in given.get(name, "").lower() for mark in _EXAMPLES)
    ]
    if 0 < len(given.get("JWT_SECRET", "")) < _MIN_SECRET:
        broken.append("JWT_SECRET: shorter than 32 characters; use SECRET_KEYS (`make key`)")
    return broken


def _ops_guarded(settings: Settings, _: Mapping[str, str]) -> str | None:
    if not settings.ops_token:
        return "OPS_TOKEN: production needs one for /ops; print one with `make key`"
    return None


_ALWAYS: tuple[Rule, ...] = (_keys_for_own_database, _admin_pair, _ops_token_long)
_IN_PRODUCTION: tuple[Rule, ...] = (
    _public_url_https,
    _no_wildcard_origin,
    _failures_limited,
    _letters_leave,
    _ops_guarded,
)
