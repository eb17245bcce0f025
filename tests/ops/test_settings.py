"""Settings: every source, every kind, every mistake with its cure."""

from base64 import b64encode
from ipaddress import ip_network
from pathlib import Path

import pytest

from ops.settings import Environment, Rate, Settings, SettingsInvalid, load
from ops.settings.declarations import declarations
from ops.settings.example import example
from ops.settings.keys import keep_keys, write_private
from ops.settings.read import KEYS_FILE, STACK_FILE, read_env_file

ROOT = Path(__file__).parents[2]
KEY = f"k1:{b64encode(b'1' * 32).decode()}"
GOOD_PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://auth.acme.com",
    "DATABASE_URL": "postgresql://ostiary@db/ostiary",
    "REDIS_URL": "redis://cache:6379/0",
    "SECRET_KEYS": KEY,
    "OPS_TOKEN": "kX9-fP2mQ7wZ4rT8vB3nL6yD1",
    "SMTP_URL": "smtp://relay.acme.com:587?starttls=required",
}


def settings(folder: Path, dotenv: str = "", **environ: str) -> Settings:
    """Load from a folder of its own, past the environment of the tests."""
    (folder / ".env").write_text(dotenv)
    return load({"OSTIARY_HOME": str(folder / "home")} | environ, directory=folder)


def mistakes(folder: Path, dotenv: str = "", **environ: str) -> list[str]:
    """Return what loading complains of."""
    with pytest.raises(SettingsInvalid) as refused:
        settings(folder, dotenv, **environ)
    return refused.value.mistakes


def test_nothing_set_gives_every_default(tmp_path: Path) -> None:
    loaded = settings(tmp_path)

    assert loaded.environment is Environment.DEVELOPMENT
    assert (loaded.host, loaded.port, loaded.db_pool_size) == ("127.0.0.1", 3000, 20)
    assert loaded.base_url == "http://localhost:3000"
    assert (loaded.access_token_ttl, loaded.refresh_token_ttl) == (900, 604_800)
    assert loaded.rate_limit_anonymous == Rate(100, 900)
    assert loaded.rate_limit_auth_failures == Rate(5, 900)
    assert loaded.home == (tmp_path / "home").resolve()
    assert loaded.processes >= 1
    assert loaded.warnings == ()


def test_every_kind_reads_what_the_documentation_shows(tmp_path: Path) -> None:
    loaded = settings(
        tmp_path,
        PORT="8080",
        ACCESS_TOKEN_TTL="90",
        REFRESH_TOKEN_TTL="2h",
        DRAIN_SECONDS="1m",
        RATE_LIMIT_ANONYMOUS="off",
        RATE_LIMIT_AUTHENTICATED="1000/h",
        PUBLIC_URL="HTTPS://Auth.Example.com:8443/",
        ALLOWED_ORIGINS="https://a.example.com, http://[::1]:5173,",
        TRUSTED_PROXIES="10.0.0.0/8, ::1, 192.168.1.7",
        LOG_LEVEL="DEBUG",
        SECRET_KEYS=f"{KEY}, k0:{b64encode(b'0' * 40).decode()}",
    )

    assert loaded.port == 8080
    assert (loaded.access_token_ttl, loaded.refresh_token_ttl) == (90, 7200)
    assert loaded.drain_seconds == 60
    assert loaded.rate_limit_anonymous is None
    assert loaded.rate_limit_authenticated == Rate(1000, 3600)
    assert loaded.public_url == "https://auth.example.com:8443"
    assert loaded.allowed_origins == ("https://a.example.com", "http://[::1]:5173")
    assert loaded.trusted_proxies == tuple(
        map(ip_network, ("10.0.0.0/8", "::1/128", "192.168.1.7/32"))
    )
    assert loaded.log_level == "debug"
    assert loaded.keyring.ids == ("k1", "k0")


@pytest.mark.parametrize(
    ("name", "values", "cure"),
    [
        ("PORT", ["0", "65536", "x", "1.5", "9" * 5000, "\uff13"], "whole number from 1 to 65535"),
        ("ACCESS_TOKEN_TTL", ["0", "8d", "15 m", "-1m", "1w", "9" * 99], "duration such as 15m"),
        ("RATE_LIMIT_ANONYMOUS", ["100", "0/1m", "5/0s", "1_0/1m", "x/y", "/", "1/2d"], "100/15m"),
        ("ENVIRONMENT", ["prod"], "choose one of development, production, test"),
        ("LOG_FORMAT", ["xml"], "choose one of auto, json, text"),
        (
            "PUBLIC_URL",
            [
                "example.com", "ftp://a.com", "https://a.com/x", "https://", "https://u:p@a.com",
                "http://[::1", "https://a.com:99999", "https://a.com:0", "https://a b.com",
                "https://a.com?x", "https://a.com#x", "https://a.com\\", "javascript:alert(1)",
            ],
            "https://auth.example.com",
        ),
        ("ALLOWED_ORIGINS", ["https://a.com,b.com", "null"], "https://auth.example.com"),
        ("TRUSTED_PROXIES", ["10.0.0.0/40", "proxy"], "10.0.0.0/8"),
        ("DATABASE_URL", ["mysql://a/b", "postgresql://h:x/db", "postgresql://[::1/x"], "write"),
        ("REDIS_URL", ["http://a", "redis://h:99999", "redis://"], "write"),
        ("SMTP_URL", ["smtp.example.com:587"], "smtp://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ["127.0.0.1:4318", "grpc://127.0.0.1:4317"], "http://"),
        ("OTEL_EXPORTER_OTLP_HEADERS", ["x", "a b=c", "=c", "a=%0Ab"], "name=value"),
        ("OTEL_TRACES_SAMPLER", ["sometimes"], "choose one of always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", ["1.1", "-0.1", "1e-1", "nan", "5%"], "number from 0 to 1"),
        ("SENTRY_DSN", ["https://a.com/1", "https://k@a.com/x", "k@a.com/1"], "https://key@host/"),
        ("SECRET_KEYS", ["x", "k1:", "k1:!!", "k1:YQ==", f"{KEY},{KEY}", "k 1:YQ==", "k:é"], "k"),
        ("MAIL_FROM", ["a@b.com\nBcc: c@d.com"], "without control characters"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_told_with_its_cure(
    tmp_path: Path, name: str, values: list[str], cure: str
) -> None:
    for value in values:
        told = [text for text in mistakes(tmp_path, **{name: value}) if text.startswith(name)]

        assert len(told) == 1, value
        assert cure in told[0], value


def test_every_mistake_is_told_at_once_broken_rules_included(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        ENVIRONMENT="production",
        PORT="x",
        LOG_LEVEL="loud",
        RATE_LIMIT_AUTH_FAILURES="off",
        PUBLIC_URL="nonsense",
        OPS_TOKEN="short",
        ADMIN_EMAIL="root@acme.com",
    )

    names = sorted(text.split(":")[0].split("=")[0].split(",")[0] for text in told)
    assert names == [
        "ADMIN_EMAIL", "LOG_LEVEL", "OPS_TOKEN", "PORT", "PUBLIC_URL", "RATE_LIMIT_AUTH_FAILURES",
        "SMTP_URL",
    ]  # fmt: skip


def test_the_value_of_a_secret_is_never_told(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path, DATABASE_URL="mysql://u:canary@h/d", SECRET_KEYS="canary", OPS_TOKEN="canary"
    )

    assert len(told) == 3
    assert "canary" not in str(told)


def test_secrets_stay_out_of_the_repr(tmp_path: Path) -> None:
    loaded = settings(tmp_path, **GOOD_PRODUCTION, ADMIN_EMAIL="a@b.co", ADMIN_PASSWORD="canary-1")

    for secret in ("canary-1", GOOD_PRODUCTION["OPS_TOKEN"], "1111", "relay.acme.com"):
        assert secret not in repr(loaded)


def test_the_environment_wins_over_the_file_under_either_name(tmp_path: Path) -> None:
    assert settings(tmp_path, "PORT=1", PORT="2").port == 2
    assert settings(tmp_path, "ACCESS_TOKEN_TTL=5m", JWT_EXPIRY="7m").access_token_ttl == 420
    assert settings(tmp_path, "JWT_EXPIRY=5m", ACCESS_TOKEN_TTL="7m").access_token_ttl == 420
    assert settings(tmp_path, "ACCESS_TOKEN_TTL=\nJWT_EXPIRY=5m").access_token_ttl == 300


def test_one_secret_makes_the_same_key_everywhere(tmp_path: Path) -> None:
    first, second = (settings(tmp_path, JWT_SECRET="x" * 40).keyring for _ in range(2))

    assert first.mac(b"m", purpose="p") == second.mac(b"m", purpose="p")


def test_good_production_settings_are_taken(tmp_path: Path) -> None:
    assert settings(tmp_path, **GOOD_PRODUCTION).in_production


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PUBLIC_URL", "http://auth.acme.com", "PUBLIC_URL"),
        ("PUBLIC_URL", "", "PUBLIC_URL"),
        ("ALLOWED_ORIGINS", "*", "ALLOWED_ORIGINS"),
        ("RATE_LIMIT_AUTH_FAILURES", "off", "RATE_LIMIT_AUTH_FAILURES"),
        ("SMTP_URL", "", "SMTP_URL"),
        ("OPS_TOKEN", "", "OPS_TOKEN"),
        ("OPS_TOKEN", "changeme-changeme-changeme", "OPS_TOKEN"),
        ("JWT_SECRET", "your-super-secret-jwt-key-change-this", "JWT_SECRET"),
        ("JWT_SECRET", "kT9fQ2", "JWT_SECRET"),
        ("SECRET_KEYS", "", "SECRET_KEYS"),
    ],
)
def test_production_refuses(tmp_path: Path, name: str, value: str, told: str) -> None:
    refused = mistakes(tmp_path, **(GOOD_PRODUCTION | {name: value}))

    assert [text.startswith(told) for text in refused] == [True]


def test_lines_of_the_file_are_read_as_shells_read_them(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfA=1\r\n  export B = two words  # comment\n# C=3\nD='a # b' # c\n"
        b'E="x=y"\nF=a#b\nG= # nothing\nH=\nnonsense\n=x\nI="half\nJ="q" # d\n\texport\tK=1\n'
    )

    assert read_env_file(tmp_path / ".env") == {
        "A": "1", "B": "two words", "D": "a # b", "E": "x=y", "F": "a#b", "G": "", "H": "",
        "I": '"half', "J": "q", "K": "1",
    }  # fmt: skip


def test_a_file_that_cannot_be_read_is_told_and_none_is_empty(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    (tmp_path / "folder").mkdir()

    assert read_env_file(tmp_path / "none") == {}
    for name in ("latin", "folder"):
        with pytest.raises(SettingsInvalid, match="UTF-8"):
            read_env_file(tmp_path / name)


def test_near_misses_in_the_file_are_warned_of_and_strangers_are_not(tmp_path: Path) -> None:
    loaded = settings(tmp_path, "PUBLC_URL=https://a.com\nRAILS_ENV=production\n")

    assert loaded.warnings == ("PUBLC_URL in .env is no setting of ours; did you mean PUBLIC_URL?",)


def test_a_database_of_ones_own_is_never_mixed_with_the_embedded_roles(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_private(home / KEYS_FILE, f"SECRET_KEYS={KEY}\n")
    kept = {
        "DATABASE_URL": "postgresql://api@/e",
        "WORKER_DATABASE_URL": "postgresql://worker@/e",
        "MIGRATION_DATABASE_URL": "postgresql://owner@/e",
        "REDIS_URL": "unix:///e",
    }
    write_private(home / STACK_FILE, "".join(f"{name}={url}\n" for name, url in kept.items()))

    embedded = settings(tmp_path, "DATABASE_URL=\n")
    own = settings(tmp_path, DATABASE_URL="postgresql://me@db/mine")
    older = settings(tmp_path, DB_HOST="db")

    assert embedded.worker_database_url == kept["WORKER_DATABASE_URL"]
    assert embedded.migration_database_url == kept["MIGRATION_DATABASE_URL"]
    for loaded in (own, older):
        assert loaded.worker_database_url == loaded.migration_database_url == ""
        assert loaded.redis_url == kept["REDIS_URL"]


def test_keys_are_made_once_private_and_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert keep_keys(home)
    first = (home / KEYS_FILE).read_text()
    assert not keep_keys(home)

    assert (home / KEYS_FILE).read_text() == first
    assert (home / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert len(settings(tmp_path).keyring.ids) == 1


def test_the_example_is_current_and_every_line_of_it_is_good(tmp_path: Path) -> None:
    text = example()
    lines = [line[1:] for line in text.splitlines() if line.startswith("#") and "=" in line]
    given = dict(line.split("=", 1) for line in lines if line.partition("=")[0].isupper())

    assert (ROOT / ".env.example").read_text() == text
    assert set(given) == set(declarations())
    values = {name: value for name, value in given.items() if name != "OSTIARY_HOME"}
    assert settings(tmp_path, **values | {"SECRET_KEYS": KEY}).warnings == ()


def test_every_setting_is_explained() -> None:
    for name, declaration in declarations().items():
        assert declaration.help, name
        declaration.kind(declaration.default)
