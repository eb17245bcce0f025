"""Settings that guard secrets and people: what is never told, bounds, and whose key it is."""

from pathlib import Path

import pytest

from ops.settings.keys import keep_keys, write_private
from ops.settings.read import KEYS_FILE, STACK_FILE
from tests.ops.test_settings import GOOD_PRODUCTION, KEY, mistakes, settings


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL", "WORKER_DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEYS",
        "OPS_TOKEN", "ADMIN_PASSWORD", "SMTP_URL", "OTEL_EXPORTER_OTLP_HEADERS", "SENTRY_DSN",
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_read_is_named_and_not_told(tmp_path: Path, name: str) -> None:
    told = mistakes(tmp_path, **{name: "no://u:canary\x01@h/d"}, ADMIN_EMAIL="root@acme.com")

    assert any(text.startswith(name) for text in told)
    assert "canary" not in str(told)


def test_every_setting_that_holds_a_secret_stays_out_of_the_repr(tmp_path: Path) -> None:
    url, names = "postgresql://u:canary@h/d", ("DATABASE", "WORKER_DATABASE", "MIGRATION_DATABASE")
    loaded = settings(
        tmp_path,
        **{f"{name}_URL": url for name in names},
        REDIS_URL="redis://:canary@h",
        SECRET_KEYS=KEY,
        SMTP_URL="smtp://u:canary@h",
        OTEL_EXPORTER_OTLP_HEADERS="key=canary",
        SENTRY_DSN="https://canary@h/1",
        ADMIN_EMAIL="root@acme.com",
        ADMIN_PASSWORD="canary",
        OPS_TOKEN="canary" * 4,
    )

    assert "canary" not in repr(loaded)


@pytest.mark.parametrize(
    ("name", "least", "most", "too_little", "too_much"),
    [
        ("STEP_UP_TTL", "10s", "1d", "9s", "86401"),
        ("PASSWORD_RESET_TTL", "1m", "1d", "59s", "86401"),
        ("REFRESH_TOKEN_TTL", "1m", "365d", "59s", "366d"),
        ("SESSION_ABSOLUTE_TTL", "1m", "365d", "59s", "366d"),
        ("SESSIONS_PER_USER", "1", "10000", "0", "10001"),
        ("RATE_LIMIT_AUTH_FAILURES", "1/1s", "1000000/1d", "0/1s", "1000001/1d"),
        ("LETTER_RETENTION", "7d", "36500d", "6d", "36501d"),
        ("OUTBOX_RETENTION", "1h", "36500d", "59m", "36501d"),
        ("DRAIN_SECONDS", "0s", "5m", "-1s", "301"),
        ("REDIS_TIMEOUT_MS", "10", "10000", "9", "10001"),
    ],
)
def test_what_guards_people_has_bounds(  # noqa: PLR0913, PLR0917 - one row of a table
    tmp_path: Path, name: str, least: str, most: str, too_little: str, too_much: str
) -> None:
    for value in (least, most):
        settings(tmp_path, **{name: value})
    for value in (too_little, too_much):
        assert mistakes(tmp_path, **{name: value})[0].startswith(name), value


@pytest.mark.parametrize("secret", ["my-own-secret-key-of-last-year", "Example-" * 4])
def test_production_takes_no_example_for_a_password_of_the_administrator(
    tmp_path: Path, secret: str
) -> None:
    own = {"ADMIN_EMAIL": "root@acme.com", "ADMIN_PASSWORD": secret}

    assert mistakes(tmp_path, **GOOD_PRODUCTION | own)[0].startswith("ADMIN_PASSWORD: ")


def test_a_secret_of_the_documents_gives_the_same_key_in_every_release(tmp_path: Path) -> None:
    ring = settings(tmp_path, JWT_SECRET=" A secret Of Forty signs, with Capitals! ").keyring

    assert ring.ids == ("jwt",)
    # Base64 of the secret's SHA-256: changing it loses everybody's data.
    assert (
        ring.mac(b"m", purpose="p").hex()
        == "8ac46e8bb32cbd474a2b31fb9071626406838760dfacfb7ab7f206823802e87b"
    )


def test_a_database_named_in_parts_is_asked_at_its_own_port_as_its_own_user(tmp_path: Path) -> None:
    other = settings(tmp_path, DB_HOST="db", DB_PORT="6432", DB_NAME="people", SECRET_KEYS=KEY)

    assert other.database_url == "postgresql://postgres:@db:6432/people"


@pytest.mark.parametrize("name", ["WORKER_DATABASE_URL", "MIGRATION_DATABASE_URL", "DATABASE_URL"])
def test_one_address_of_a_database_of_one_s_own_leaves_the_embedded_one_out(
    tmp_path: Path, name: str
) -> None:
    names = ("DATABASE_URL", "WORKER_DATABASE_URL", "MIGRATION_DATABASE_URL")
    lines = [f"{each}=postgresql://embedded@/e\n" for each in names]
    write_private(tmp_path / "home" / STACK_FILE, "".join(lines))

    loaded = settings(tmp_path, **{name: "postgresql://me@db/mine"}, SECRET_KEYS=KEY)

    urls = (loaded.database_url, loaded.worker_database_url, loaded.migration_database_url)
    assert "embedded" not in str(urls)


def test_a_file_of_keys_that_holds_none_gets_them(tmp_path: Path) -> None:
    write_private(tmp_path / "home" / KEYS_FILE, "")

    assert keep_keys(tmp_path / "home")

    assert len(settings(tmp_path).keyring.ids) == 1
