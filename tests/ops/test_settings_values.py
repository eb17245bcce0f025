"""Settings at their edges: the least and the most, what a value is made of, which source wins."""

from base64 import b64encode
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ops.settings.read import KEYS_FILE
from tests.ops.test_settings import GOOD_PRODUCTION, KEY, mistakes, settings


def key_of(size: int) -> str:
    """Return a secret key of so many bytes."""
    return f"k1:{b64encode(b'1' * size).decode()}"


def test_the_least_and_the_most_that_are_named_are_taken(tmp_path: Path) -> None:
    loaded = settings(
        tmp_path, PORT="65535", WEB_PROCESSES="64", DB_POOL_SIZE="2", OTEL_TRACES_SAMPLER_ARG="1"
    )

    assert (loaded.port, loaded.web_processes, loaded.db_pool_size) == (65_535, 64, 2)
    assert settings(tmp_path, PORT="1", ACCESS_TOKEN_TTL="7d").access_token_ttl == 604_800
    assert settings(tmp_path, OPS_TOKEN="t" * 24).ops_token == "t" * 24
    assert mistakes(tmp_path, OPS_TOKEN="t" * 23)


def test_a_network_may_be_named_by_an_address_in_it(tmp_path: Path) -> None:
    loaded = settings(tmp_path, TRUSTED_PROXIES="10.1.2.3/8, fd00::7/64")

    assert loaded.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/64"))


def test_a_header_s_value_may_hold_equal_signs(tmp_path: Path) -> None:
    loaded = settings(tmp_path, OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20YQ==")

    assert loaded.otel_exporter_otlp_headers == (("authorization", "Basic YQ=="),)


def test_a_secret_key_has_32_bytes_an_id_of_its_own_and_nothing_but_base64(tmp_path: Path) -> None:
    assert settings(tmp_path, SECRET_KEYS=key_of(32)).keyring.ids == ("k1",)
    assert "shorter than 32 bytes" in mistakes(tmp_path, SECRET_KEYS=key_of(31))[0]
    other = f"k1:{b64encode(b'2' * 32).decode()}"
    assert "id of its own" in mistakes(tmp_path, SECRET_KEYS=f"{KEY},{other}")[0]
    assert "not base64" in mistakes(tmp_path, SECRET_KEYS=f"k1:!{KEY.partition(':')[2]}")[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_ORIGINS", "https://app.acme.com,*"),
        ("DB_PASSWORD", "changeme"),
        ("OPS_TOKEN", "Change-This-To-Something-Long"),
        ("JWT_SECRET", "s" * 31),
    ],
)
def test_production_refuses_also(tmp_path: Path, name: str, value: str) -> None:
    told = mistakes(tmp_path, **GOOD_PRODUCTION | {name: value})

    assert [text.partition(":")[0].partition("=")[0] for text in told] == [name]


def test_a_secret_of_the_documents_is_long_enough_with_32_characters(tmp_path: Path) -> None:
    assert settings(tmp_path, **GOOD_PRODUCTION, JWT_SECRET="s" * 32).in_production


def test_what_was_kept_on_the_first_start_gives_way_to_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    kept = f"SECRET_KEYS={KEY}\nOPS_TOKEN={'k' * 24}\n"
    (tmp_path / "home" / KEYS_FILE).write_text(kept)

    assert settings(tmp_path).ops_token == "k" * 24
    assert settings(tmp_path, OPS_TOKEN="e" * 24).ops_token == "e" * 24
    assert settings(tmp_path, f"OPS_TOKEN={'d' * 24}").ops_token == "d" * 24


def test_a_database_named_in_parts_keeps_every_sign_of_its_password(tmp_path: Path) -> None:
    loaded = settings(
        tmp_path, DB_HOST="db", DB_USER="a/b", DB_PASSWORD="p/w@#?:%", SECRET_KEYS=KEY
    )

    parts = urlsplit(loaded.database_url)
    assert (parts.hostname, parts.port, parts.path) == ("db", 5432, "/ostiary")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("a/b", "p/w@#?:%")


def test_a_redis_named_in_parts_is_asked_at_its_own_port(tmp_path: Path) -> None:
    assert settings(tmp_path, REDIS_HOST="r", REDIS_PORT="6380").redis_url == "redis://r:6380/0"
    assert settings(tmp_path, REDIS_HOST="r").redis_url == "redis://r:6379/0"
