"""doctor: a process that looks at everything and names every cure."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api.parts import Parts
from ops.settings.keys import write_private
from ops.settings.read import STACK_FILE
from tests.commands import run
from tests.factories import OPS_TOKEN
from tests.nursery import Forking

Examined = Callable[..., Awaitable[tuple[int, str]]]
Findings = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
def examined(forking: Forking) -> Examined:
    """Run the doctor; give its exit code and what it printed."""

    async def examining(environ: dict[str, str], *options: str) -> tuple[int, str]:
        code, said, complained = await run(forking, "ops", "doctor", *options, environ=environ)
        assert complained == ""
        return code, said

    return examining


@pytest.fixture
def findings(examined: Examined) -> Findings:
    """Run the doctor; give its exit code and its findings by name."""

    async def finding(environ: dict[str, str]) -> tuple[int, dict[str, Any]]:
        code, said = await examined(environ, "--json")
        found = json.loads(said)
        assert all(set(item) == {"name", "ok", "seen", "cure"} for item in found)
        assert all(item["cure"] for item in found if not item["ok"])
        return code, {item["name"]: item for item in found}

    return finding


async def test_all_is_well_with_the_servers_of_the_session(
    findings: Findings, environ: dict[str, str], clean: None
) -> None:
    code, found = await findings(environ)

    assert [name for name, item in found.items() if not item["ok"]] == []
    assert code == 0
    assert set(found) == {
        "settings", "public url", "access tokens", "home", "disk", "redis", "postgresql",
        "migrations", "roles", "keys", "proxy", "letters",
    }  # fmt: skip
    assert found["roles"]["seen"] == "separate"
    assert "SECRET_KEYS" not in str(found)


async def test_every_wrong_setting_is_a_finding(
    examined: Examined, environ: dict[str, str]
) -> None:
    code, said = await examined(environ | {"PORT": "x", "LOG_LEVEL": "loud"}, "--json")

    assert code == 1
    seen = [item["seen"] for item in json.loads(said)]
    assert [text.partition("=")[0] for text in seen] == ["PORT", "LOG_LEVEL"]


async def test_servers_that_are_away_are_named_with_their_cures(
    findings: Findings, environ: dict[str, str], tmp_path: Path
) -> None:
    nowhere = {
        "DATABASE_URL": f"postgresql://u:canary@/d?host={tmp_path}",
        "REDIS_URL": f"unix://{tmp_path}/nobody.sock",
        "SMTP_URL": "smtp://127.0.0.1:1",
    }

    code, found = await findings(environ | nowhere)

    assert code == 1
    assert {name for name, item in found.items() if not item["ok"]} == {
        "postgresql", "redis", "letters",
    }  # fmt: skip
    assert "canary" not in str(found)


async def test_without_servers_it_says_how_to_get_them(examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)

    code, said = await examined({"OSTIARY_HOME": str(tmp_path / "home")})

    assert code == 1
    assert "BAD  servers: not running\n       -> run `make up`" in said
    assert f"-> chmod 700 {tmp_path / 'home'}" in said


async def test_workers_who_cannot_sign_in_are_a_finding(
    findings: Findings, environ: dict[str, str]
) -> None:
    wrong = environ["WORKER_DATABASE_URL"].replace("ostiary_worker:", "ostiary_worker:x")

    code, found = await findings(environ | {"WORKER_DATABASE_URL": wrong})

    assert code == 1
    assert found["roles"]["cure"] == "check WORKER_DATABASE_URL"


async def test_a_missing_secret_key_is_a_finding(
    findings: Findings, environ: dict[str, str], parts: Any, server_url: str
) -> None:
    other = environ["SECRET_KEYS"].replace("k1:", "k2:")

    code, found = await findings(environ | {"SECRET_KEYS": other})

    assert code == 1
    assert "SECRET_KEYS" in found["keys"]["cure"]


async def test_a_proxy_that_nobody_trusts_is_a_finding_until_it_is_trusted(
    findings: Findings, environ: dict[str, str], clean: None, parts: Parts
) -> None:
    await parts.redis.suspect_proxy("10.0.0.5", seconds=60)

    code, found = await findings(environ)
    mended, after = await findings(environ | {"TRUSTED_PROXIES": "10.0.0.0/24"})

    assert code == 1
    assert "looks like a proxy" in found["proxy"]["seen"]
    assert "set TRUSTED_PROXIES=10.0.0.5 " in found["proxy"]["cure"]
    assert mended == 0
    assert after["proxy"]["ok"]
    assert await parts.redis.suspected_proxy() is None


async def test_a_suspicion_that_is_no_address_is_ignored(
    findings: Findings, environ: dict[str, str], clean: None, parts: Parts
) -> None:
    await parts.redis.suspect_proxy("somebody\x1b[31m", seconds=60)

    code, found = await findings(environ)

    assert code == 0
    assert found["proxy"]["ok"]
    await parts.redis.forget_proxy()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"HOST": "::1"}, True),
        ({"HOST": "localhost"}, True),
        ({"HOST": "0.0.0.0"}, False),  # noqa: S104 - a setting's value, nothing is bound
        ({"TRUSTED_PROXIES": "127.0.0.1"}, False),
        ({"ENVIRONMENT": "test"}, False),
    ],
)
async def test_production_behind_a_proxy_that_is_not_named_is_told(
    examined: Examined,
    environ: dict[str, str],
    tmp_path: Path,
    changes: dict[str, str],
    *,
    told: bool,
) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    production = {
        "ENVIRONMENT": "production",
        "OSTIARY_HOME": str(tmp_path / "home"),
        "PUBLIC_URL": "https://auth.example.org",
        "SECRET_KEYS": environ["SECRET_KEYS"],
        "OPS_TOKEN": OPS_TOKEN,
        "SMTP_URL": "smtp://127.0.0.1:1",
    }

    _, said = await examined(production | changes)

    assert "BAD  settings" not in said
    assert ("TRUSTED_PROXIES is not set" in said) == told
    assert ("set TRUSTED_PROXIES=127.0.0.1,::1" in said) == told


async def test_a_home_that_is_not_there_or_open_to_a_group_is_a_finding(
    findings: Findings, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir(mode=0o750)
    (tmp_path / "file").touch()

    for name, seen in (("nowhere/home", "cannot be written"), ("file", "cannot be written")):
        code, found = await findings({"OSTIARY_HOME": str(tmp_path / name)})
        assert (code, found["home"]["ok"]) == (1, False)
        assert found["home"]["seen"] == f"{tmp_path / name} {seen}"
        assert found["disk"]["seen"].endswith(" MB free")
    _, found = await findings({"OSTIARY_HOME": str(tmp_path / "open")})

    assert found["home"]["cure"] == f"chmod 700 {tmp_path / 'open'}"


async def test_tokens_that_live_long_and_letters_that_point_here_are_advised_against(
    findings: Findings, tmp_path: Path
) -> None:
    own = {"OSTIARY_HOME": str(tmp_path)}
    for life, is_long in (("15m", False), ("1h", False), ("3601s", True), ("7d", True)):
        _, found = await findings(own | {"ACCESS_TOKEN_TTL": life})
        assert found["access tokens"]["ok"]
        assert bool(found["access tokens"]["cure"]) == is_long, life

    _, unset = await findings(own | {"PORT": "3123"})
    _, known = await findings(own | {"PUBLIC_URL": "https://auth.example.org"})

    assert unset["public url"]["seen"] == "not set; letters point to http://localhost:3123"
    assert "set PUBLIC_URL" in unset["public url"]["cure"]
    assert (known["public url"]["seen"], known["public url"]["cure"]) == (
        "https://auth.example.org", "",
    )  # fmt: skip


async def test_an_installation_whose_keys_were_lost_is_told_so_by_the_floor_that_needs_them(
    findings: Findings, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    write_private(home / STACK_FILE, f"DATABASE_URL=postgresql://u@/d?host={tmp_path}\n")

    code, found = await findings({"HOME": str(tmp_path), "OSTIARY_HOME": "~/home"})

    assert code == 1
    assert found["home"]["seen"] == str(home)
    assert found["storage"]["seen"] == "SECRET_KEYS: not set; print one with `make key`"
    assert found["storage"]["cure"] == "run python -m storage check --json"


async def test_a_disk_without_room_is_a_finding(findings: Findings) -> None:
    code, found = await findings({"OSTIARY_HOME": "/proc/nowhere"})

    assert code == 1
    assert found["disk"] == {
        "name": "disk", "ok": False, "seen": "0 MB free", "cure": "make room",
    }  # fmt: skip
