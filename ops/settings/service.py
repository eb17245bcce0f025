"""The settings of what the service does; those of how it is watched are in `model.py`."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from ops.crypto import SecretKey
from ops.settings import kinds
from ops.settings.declare import (
    Environment,
    SecurityProfile,
    TokenAlgorithm,
    VerifiedEmail,
    setting,
)
from ops.settings.kinds import Rate

_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The service, its servers, secrets, rules of signing in, and letters."""

    environment: Environment = setting(
        kinds.choice(Environment),
        "development",
        "development, production or test",
        section="Service",
        aliases=("NODE_ENV",),
    )
    host: str = setting(
        kinds.text, "127.0.0.1", "address to listen on; 0.0.0.0 or :: for all", section="Service"
    )
    port: int = setting(kinds.integer(1, 65_535), "3000", "port to listen on", section="Service")
    public_url: str = setting(
        kinds.origin,
        "",
        "address people reach this service at; letters and tokens carry it"
        " (http://localhost:PORT unless set; https in production)",
        section="Service",
        aliases=("API_URL",),
        example="https://auth.example.com",
    )
    web_processes: int = setting(
        kinds.integer(0, 64), "0", "web processes; 0 means one a core", section="Service"
    )
    ostiary_home: str = setting(
        kinds.text, ".ostiary", "folder of all state: databases, keys, letters", section="Service"
    )
    drain_seconds: int = setting(
        kinds.duration(0, 300),
        "0s",
        "how long to answer on after SIGTERM while load balancers notice",
        section="Service",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = setting(
        kinds.networks,
        "",
        "addresses or networks of your proxies; only their X-Forwarded-For is believed",
        section="Service",
        example="10.0.0.0/8",
    )
    allowed_origins: tuple[str, ...] = setting(
        kinds.origins,
        "",
        "web origins that may call from a browser, comma separated",
        section="Service",
        example="https://app.example.com",
    )

    database_url: str = setting(
        kinds.url("postgresql", "postgres"),
        "",
        "your PostgreSQL 14+; unset: an embedded one is started",
        section="Servers",
        secret=True,
        example="postgresql://ostiary_api:password@localhost:5432/ostiary",
    )
    worker_database_url: str = setting(
        kinds.url("postgresql", "postgres"),
        "",
        "the same database under the workers' role (DATABASE_URL unless set)",
        section="Servers",
        secret=True,
    )
    migration_database_url: str = setting(
        kinds.url("postgresql", "postgres"),
        "",
        "the same database under the role that owns it (DATABASE_URL unless set)",
        section="Servers",
        secret=True,
    )
    db_pool_size: int = setting(
        kinds.integer(2, 200), "20", "PostgreSQL connections of one process", section="Servers"
    )
    database_statement_cache: int = setting(
        kinds.integer(0, 10_000),
        "256",
        "prepared statements kept per connection; 0 behind pgbouncer in transaction mode",
        section="Servers",
    )
    redis_url: str = setting(
        kinds.url("redis", "rediss", "unix"),
        "",
        "your Redis 7+ or Valkey; unset: an embedded one is started",
        section="Servers",
        secret=True,
        example="redis://localhost:6379/0",
    )
    redis_timeout_ms: int = setting(
        kinds.integer(10, 10_000),
        "100",
        "milliseconds that a request waits for Redis before it goes on without it",
        section="Servers",
    )

    secret_keys: tuple[SecretKey, ...] = setting(
        kinds.secret_keys,
        "",
        "id:base64 of 32 random bytes, comma separated; the first writes, all read"
        " (`make key` prints one; made on first start when the database is embedded)",
        section="Secrets",
        secret=True,
    )
    ops_token: str = setting(
        kinds.text,
        "",
        "bearer token of /ops, at least 24 characters (made on first start when embedded)",
        section="Secrets",
        secret=True,
    )
    admin_email: str = setting(
        kinds.text,
        "",
        "first admin, made by `make up` or `python -m api admin create`; never overwrites",
        section="Secrets",
    )
    admin_password: str = setting(
        kinds.text, "", "password of that first admin", section="Secrets", secret=True
    )

    security_profile: SecurityProfile = setting(
        kinds.choice(SecurityProfile),
        "seed",
        "seed: the documents' rules; strict: NIST passwords, registration tells strangers nothing",
        section="Auth",
    )
    require_verified_email: VerifiedEmail = setting(
        kinds.choice(VerifiedEmail),
        "sensitive",
        "what a verified address is needed for: off, sensitive or login",
        section="Auth",
    )
    token_audience: str = setting(kinds.text, "ostiary", "`aud` of access tokens", section="Auth")
    token_algorithm: TokenAlgorithm = setting(
        kinds.choice(TokenAlgorithm),
        "EdDSA",
        "how access tokens are signed: EdDSA, or ES256 or RS256 for gateways without it",
        section="Auth",
    )
    signing_key_max_age: int = setting(
        kinds.duration(0, 3_650 * _DAY),
        "90d",
        "age at which the clock makes a new signing key; 0s: only by `python -m storage keys`",
        section="Auth",
    )
    access_token_ttl: int = setting(
        kinds.duration(1, 7 * _DAY),
        "15m",
        "life of an access token",
        section="Auth",
        aliases=("JWT_EXPIRY", "JWT_EXPIRATION"),
    )
    refresh_token_ttl: int = setting(
        kinds.duration(60, 365 * _DAY),
        "7d",
        "life of a session that is not used",
        section="Auth",
        aliases=("REFRESH_TOKEN_EXPIRY",),
    )
    session_absolute_ttl: int = setting(
        kinds.duration(60, 365 * _DAY),
        "90d",
        "life of a session however much it is used",
        section="Auth",
    )
    sessions_per_user: int = setting(
        kinds.integer(1, 10_000),
        "50",
        "sessions one person may have; one more ends the one unused for longest",
        section="Auth",
    )
    step_up_ttl: int = setting(
        kinds.duration(10, _DAY),
        "10m",
        "how long after a sign-in sensitive changes need no new proof",
        section="Auth",
    )
    password_reset_ttl: int = setting(
        kinds.duration(60, _DAY), "1h", "life of a password reset link and code", section="Auth"
    )
    hash_slots: int = setting(
        kinds.integer(0, 64),
        "0",
        "passwords hashed at once, over all web processes; 0 means one a core",
        section="Auth",
    )
    rate_limit_anonymous: Rate | None = setting(
        kinds.rate, "100/15m", "requests per address, or off", section="Auth"
    )
    rate_limit_authenticated: Rate | None = setting(
        kinds.rate, "1000/1h", "requests per signed-in user, or off", section="Auth"
    )
    rate_limit_premium: Rate | None = setting(
        kinds.rate, "5000/1h", "requests per signed-in user of plan premium, or off", section="Auth"
    )
    rate_limit_refresh: Rate | None = setting(
        kinds.rate, "6000/5m", "refreshes per session, or off", section="Auth"
    )
    rate_limit_auth_failures: Rate | None = setting(
        kinds.rate,
        "5/15m",
        "failed sign-ins per address and per account; off only outside production",
        section="Auth",
    )

    smtp_url: str = setting(
        kinds.url("smtp", "smtps"),
        "",
        "smtp://user:pass@host:587?starttls=required or smtps://...; unset in development:"
        " letters are files under OSTIARY_HOME/mail and on /dev/mailbox",
        section="Letters",
        aliases=("EMAIL_SERVICE_URL",),
        secret=True,
        example="smtp://user:password@smtp.example.com:587?starttls=required",
    )
    mail_from: str = setting(
        kinds.text,
        "Ostiary <no-reply@localhost>",
        "sender of letters",
        section="Letters",
        aliases=("FROM_EMAIL",),
    )
    product_name: str = setting(
        kinds.text, "Ostiary", "name that letters and pages speak of", section="Letters"
    )
