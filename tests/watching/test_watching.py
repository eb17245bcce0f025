"""The real thing: `make watch`, a load, accidents; Prometheus sees them, alerts tell of them.

`make chaos TESTS=tests/watching` adds further accidents, which take some minutes.
"""

import os
import re
from pathlib import Path

import pytest

from ops.watch.programs import PROGRAMS, Surroundings, installed
from ops.watch.words import rows
from tests.conftest import MakeSettings
from tests.watching.faults import FAULTS
from tests.watching.further import FURTHER
from tests.watching.house import missing_packages
from tests.watching.pace import hurried
from tests.watching.story import Story, lived

# What rules ask for and is rightly not there, and why.
EMPTY = {
    'ostiary_jobs_total{job="ostiary",outcome=~"dead|retried"}': "no job fails",
    'ostiary_letters_total{job="ostiary",outcome=~"failed|bounced"}': "no letter is refused",
    'pg_replication_slots_pg_wal_lsn_diff{job="postgres"}': "there is no standby",
    'pg_stat_replication_pg_wal_lsn_diff{job="postgres"}': "there is no standby",
}

_ACCIDENTS = (*FAULTS, *(FURTHER if "CHAOS_ROUNDS" in os.environ else ()))


@pytest.fixture(scope="module")
async def story() -> Story:
    """Live through all of it once, where Debian's packages are installed."""
    if missing := missing_packages():
        away = pytest.fail if os.environ.get("WATCHING") == "required" else pytest.skip
        away(f"not installed; on Debian: apt install {' '.join(missing)}")
    return await lived(_ACCIDENTS)


def test_one_card_says_where_everything_is(story: Story) -> None:
    for row in ("Service", "Prometheus", "Alerts", "Grafana", "Exporter"):
        assert f"  {row} " in story.card
    assert "Not there" not in story.card
    assert story.card.count("  Stop ") == 1


def test_every_process_and_every_exporter_is_scraped(story: Story) -> None:
    kinds = {name.rpartition(".")[0] or name.partition(" ")[0] for name in story.targets}

    assert set(story.targets.values()) == {"up"}, story.targets
    assert kinds >= {
        "ostiary web", "ostiary relay", "ostiary clock", "ostiary emails", "ostiary passwords",
        "ostiary sessions",
    }  # fmt: skip
    assert {name.partition(" ")[0] for name in story.targets} == {
        "ostiary", "postgres", "redis", "node",
    }  # fmt: skip


def test_every_panel_shows_a_number(story: Story) -> None:
    assert story.panels > 150
    assert story.empty_panels == []


def test_every_rule_is_evaluated_and_finds_the_series_that_it_asks_for(story: Story) -> None:
    assert len(story.rules) > 40
    assert [rule["name"] for rule in story.rules if rule["health"] != "ok"] == []
    assert story.empty_selectors == set(EMPTY)


def test_every_accident_is_told_and_its_end_too(story: Story) -> None:
    faults = [fault for at_once in _ACCIDENTS for fault in at_once]

    assert [told.alert for told in story.told] == [
        alert for fault in faults for alert in (*fault.tell, *fault.follow)
    ]
    for told in story.told:
        assert told.fired < 90, told
        assert told.resolved < 150, told


def test_alertmanager_passes_on_that_it_began_and_that_it_ended(story: Story) -> None:
    for alert in ("TargetDown", "PostgresDown"):
        assert {(alert, "firing"), (alert, "resolved")} <= story.notified


def test_of_an_accident_nobody_is_told_what_only_follows_from_it(story: Story) -> None:
    follow = {alert for faults in _ACCIDENTS for fault in faults for alert in fault.follow}

    inhibited = {told.alert for told in story.told if told.inhibited}

    assert follow <= inhibited
    assert inhibited.isdisjoint({"PostgresDown", "RedisDown", "CredentialStuffing"})


def test_what_watches_listens_here_only_and_shows_no_secret(story: Story) -> None:
    assert len(story.secrets) > 6
    assert [secret for secret in story.secrets if secret in story.command_lines] == []
    assert story.open_to_others == []


def test_the_exporter_s_role_sees_statistics_and_nobody_s_rows(story: Story) -> None:
    assert "permission denied for table users" in story.refused_to_monitor


def test_a_grafana_is_given_our_dashboards_and_shows_them_to_whoever_reaches_it(
    story: Story,
) -> None:
    assert Path(story.grafana["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).exists()
    assert Path(story.grafana["OSTIARY_DASHBOARDS"], "business.json").exists()
    assert story.grafana["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert story.grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert len(story.grafana["GF_SECURITY_ADMIN_PASSWORD"]) > 20
    assert "DATA_SOURCE_NAME" not in story.grafana


def test_ctrl_c_ends_all_of_it(story: Story) -> None:
    killed = re.findall(r"(\S+)\.1 did not end in time", story.last_words)

    assert story.code in {0, 1}, story.last_words
    # On a busy machine a worker may be; what watches has nothing to finish.
    assert {one.name for one in PROGRAMS}.isdisjoint(killed)


def test_what_is_not_installed_is_told_with_the_package_that_brings_it(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    nowhere = Surroundings(
        folder=tmp_path, settings=make_settings(), paths=installed(str(tmp_path)), ports={},
        postgres_url="", redis_url="",
    )  # fmt: skip

    said = [value for name, value in rows(nowhere) if name == "Not there"]

    assert len(said) == len(PROGRAMS)
    for package in (
        "prometheus", "prometheus-alertmanager", "prometheus-postgres-exporter",
        "prometheus-redis-exporter", "prometheus-node-exporter",
    ):  # fmt: skip
        assert any(line.endswith(f": apt install {package}") for line in said), package


def test_an_exporter_without_a_role_in_a_postgresql_of_one_s_own_is_told_of(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "postgres_exporter").touch(mode=0o755)
    around = Surroundings(
        folder=tmp_path, settings=make_settings(), paths=installed(str(tmp_path)), ports={},
        postgres_url="", redis_url="",
    )  # fmt: skip

    (said,) = [value for _, value in rows(around) if value.startswith("postgres-exporter")]

    assert "DATA_SOURCE_NAME" in said


def test_in_a_hurry_only_durations_are_shorter() -> None:
    usual = 'sum(rate(a_total{le="5.0"}[1h] offset 30m)) / x:y:rate5m > 300 and b[2m]'

    assert hurried(usual) == (
        'sum(rate(a_total{le="5.0"}[60000ms] offset 30000ms)) / x:y:rate5m > 300 and b[5000ms]'
    )
