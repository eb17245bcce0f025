"""Alerts: everything they name exists, parses, is explained, and is tried."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # only tests read YAML
from prometheus_client import generate_latest

from ops.metrics import Metrics
from storage.jobs import queues
from tests.dashboards.series import OF_EXPORTERS, labels_of_ours

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "prometheus"
RULES = FOLDER / "rules"
CASES = FOLDER / "tests"
CONFIG = FOLDER / "prometheus.yml"
ALERTS = ("errors", "performance", "security", "resources")

_JOBS = {"ostiary", *OF_EXPORTERS}
_OTHERS = {
    "pg_replication_slots_pg_wal_lsn_diff": "postgres",
    "redis_aof_enabled": "redis",
} | {name: job for job, names in OF_EXPORTERS.items() for name in names}
_FROM_SCRAPE = {"job", "instance", "process", "process_type", "le"}
# Fires always: that is what it is for.
_WATCHDOG = "Watchdog"
_ROW = re.compile(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| .+ \| (\w+) \|$", re.MULTILINE)
_COMMAND = re.compile(r"`python -m ([\w.]+)((?: [a-z]+\b(?![:/.]))*)")
_STATEMENT = re.compile(r"`(SELECT\b[^`]*;)`")
_LINK = re.compile(r"\]\(([\w./-]+\.md)")

_needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("WATCHING") != "required",
    reason="not installed; on Debian: apt install prometheus",
)


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _rules(name: str) -> list[dict[str, Any]]:
    groups = _load(RULES / f"{name}.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _alerts() -> list[dict[str, Any]]:
    return [rule for name in ALERTS for rule in _rules(name)]


def _names() -> set[str]:
    return {alert["alert"] for alert in _alerts()}


def _recorded() -> set[str]:
    return {rule["record"] for rule in _rules("recording")}


def _expressions() -> list[str]:
    rules = [*_rules("recording"), *_alerts()]
    return [str(rule["expr"]) for rule in rules if rule.get("alert") != _WATCHDOG]


def _selectors(expression: str) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return [node for node in found if isinstance(node, promql_parser.VectorSelector)]


def _matched(selector: Any) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}


def _jobs_that_serve(name: str) -> set[str]:
    """Return the scrape jobs a series comes from; none when nobody serves it."""
    if name == "up":
        return _JOBS
    if name in labels_of_ours() or name in _recorded():
        return {"ostiary"}
    return {_OTHERS[name]} if name in _OTHERS else set()


@pytest.mark.parametrize("expression", _expressions())
def test_every_expression_parses_and_names_series_that_the_job_it_asks_serves(
    expression: str,
) -> None:
    selectors = _selectors(expression)

    assert selectors
    for selector in selectors:
        asked = set(_matched(selector)["job"].split("|"))
        assert asked <= _jobs_that_serve(selector.name), selector.name


def test_a_metric_that_does_not_exist_would_be_found() -> None:
    (selector,) = _selectors("max(rate(ostiary_nothing_total[5m])) > 1")

    assert _jobs_that_serve(selector.name) == set()


def test_labels_that_are_selected_are_labels_of_the_series() -> None:
    recorded = {name: {"slo"} for name in _recorded()}

    for expression in _expressions():
        for selector in _selectors(expression):
            declared = {**labels_of_ours(), **recorded}.get(selector.name)
            if declared is not None:
                assert set(_matched(selector)) <= declared | _FROM_SCRAPE, expression


def test_buckets_that_are_selected_are_served() -> None:
    metrics = Metrics()
    metrics.request_seconds.labels("GET", "/health").observe(0)
    served = set(re.findall(r'le="([^"]+)"', generate_latest(metrics.registry).decode()))

    asked = {
        _matched(selector).get("le")
        for expression in _expressions()
        for selector in _selectors(expression)
    }

    assert asked - {None} == {"0.25", "1.0"}
    assert asked - {None} <= served


def test_routes_that_are_selected_are_served() -> None:
    document = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    patterns = {
        _matched(selector).get("http_route", "")
        for expression in _expressions()
        for selector in _selectors(expression)
    }

    for folder, names in re.findall(r"(/[\w/]+/)\(([^)]+)\)", " ".join(patterns)):
        for name in names.split("|"):
            assert f'"{folder}{name}": {{' in document, name


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    alerts = [(alert["alert"], alert["labels"]["severity"]) for alert in _alerts()]

    assert len(alerts) == len(set(alerts)) > 0
    for alert in _alerts():
        notes = alert["annotations"]
        wanted = {"none"} if alert["alert"] == _WATCHDOG else {"critical", "warning"}
        assert alert["labels"]["severity"] in wanted
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"


@pytest.mark.parametrize("alert", sorted(_names()))
def test_every_alert_has_a_runbook_of_three_parts(alert: str) -> None:
    lines = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text(encoding="utf-8").splitlines()

    headings = [line for line in lines if line.startswith("#")]

    assert headings == [f"# {alert}", "## What it means", "## How to look", "## What to do"]
    assert all(len(line) <= 140 for line in lines)


def test_every_runbook_belongs_to_an_alert() -> None:
    written = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}

    assert written == _names()


def test_runbooks_name_pages_and_commands_that_exist() -> None:
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for link in _LINK.findall(text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
        for module, words in _COMMAND.findall(text):
            for word in set(words.split()) - set(queues()):
                assert f'"{word}"' in _sources(module), f"{path.name}: {module} {word}"


async def test_what_runbooks_ask_postgresql_can_be_asked(owner: Any) -> None:
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        for statement in _STATEMENT.findall(path.read_text(encoding="utf-8")):
            try:
                await owner.prepare(statement.replace("(PID)", "(1)"))
            except asyncpg.PostgresError as error:
                pytest.fail(f"{path.name}: {error}: {statement}")


def _sources(module: str) -> str:
    """Return the text of the floor that a program belongs to."""
    folder = ROOT / module.partition(".")[0]
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))


def test_the_page_of_alerts_lists_all_of_them() -> None:
    listed = _ROW.findall((ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"))

    assert [name for name, runbook, _, _ in listed if name != runbook] == []
    assert sorted((name, severity, file) for name, _, severity, file in listed) == sorted(
        (rule["alert"], rule["labels"]["severity"], file)
        for file in ALERTS
        for rule in _rules(file)
    )


@pytest.mark.parametrize("file", ALERTS)
def test_every_alert_fires_and_stays_quiet(file: str) -> None:
    cases = [
        case
        for test in _load(CASES / f"{file}_test.yml")["tests"]
        for case in test["alert_rule_test"]
    ]

    for rule in _rules(file):
        alert, severity = rule["alert"], rule["labels"]["severity"]
        mine = [case["exp_alerts"] for case in cases if case["alertname"] == alert]
        fired = [told["exp_labels"]["severity"] for case in mine for told in case]
        assert severity in fired, alert
        assert [] in mine or alert == _WATCHDOG, alert


@_needs_promtool
@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", *(str(path) for path in sorted(RULES.glob("*.yml")))),
        ("check", "config", "--syntax-only", str(CONFIG)),
        *(("test", "rules", str(path)) for path in sorted(CASES.glob("*.yml"))),
    ],
    ids=" ".join,
)
def test_promtool_is_content(command: tuple[str, ...]) -> None:
    # It spends a quarter of its work on looking for garbage, beside other tests.
    environ = os.environ | {"GOMAXPROCS": "1", "GOGC": "400"}

    done = subprocess.run(
        ["promtool", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environ,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_cases_are_tried_on_the_rules_that_are_used() -> None:
    (wanted,) = _load(CONFIG)["rule_files"]
    used = {path.resolve() for path in FOLDER.glob(wanted)}
    tried = {
        (CASES / rules).resolve()
        for path in CASES.glob("*.yml")
        for rules in _load(path)["rule_files"]
    }

    assert used == tried == set(RULES.glob("*.yml"))


def test_prometheus_asks_our_service_discovery_and_the_exporters() -> None:
    scrapes = {scrape["job_name"]: scrape for scrape in _load(CONFIG)["scrape_configs"]}

    (discovery,) = scrapes["ostiary"]["http_sd_configs"]

    assert set(scrapes) == _JOBS
    assert discovery["url"].endswith(":3000/ops/prometheus/targets")
    assert discovery["authorization"]["credentials_file"]


def test_a_process_of_every_type_is_missed() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    (rule,) = [rule for rule in _rules("resources") if rule["alert"] == "ProcessMissing"]

    missed = {_matched(selector)["process_type"] for selector in _selectors(rule["expr"])}

    assert missed == {line.partition(":")[0] for line in lines} - {"release"}
