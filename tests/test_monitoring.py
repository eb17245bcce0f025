"""Alerts: everything they name exists, parses, is explained, and is tried."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # only tests read YAML

from ops.metrics import Metrics

ROOT = Path(__file__).parents[1]
RULES = ROOT / "prometheus" / "rules" / "ostiary.yml"
CASES = ROOT / "prometheus" / "tests" / "ostiary_test.yml"
CONFIG = ROOT / "prometheus" / "prometheus.yml"

# What Prometheus itself adds to every scrape.
_PROMETHEUS_OWN = {"up"}
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
_PARTS = ("lhs", "rhs", "expr", "param", "vector_selector")


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _alerts() -> list[dict[str, Any]]:
    return [rule for group in _load(RULES)["groups"] for rule in group["rules"]]


def _expressions() -> list[str]:
    return [str(alert["expr"]) for alert in _alerts()]


def _parsed(expression: str) -> Any:
    return promql_parser.parse(expression)


def _selectors(node: Any) -> Iterator[Any]:
    """Walk an expression's tree down to what it selects."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    children = [getattr(node, part, None) for part in _PARTS]
    for child in [*children, *getattr(node, "args", ())]:
        if child is not None:
            yield from _selectors(child)


def _known_names() -> set[str]:
    """Every series our processes serve; of those that only Linux has, what the house relies on."""
    found = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
    for family in Metrics().registry.collect():
        found |= {family.name + suffix for suffix in _SUFFIXES[family.type]}
    return found


@pytest.mark.parametrize("expression", _expressions())
def test_every_expression_parses_and_names_metrics_that_exist(expression: str) -> None:
    selectors = list(_selectors(_parsed(expression)))

    assert selectors
    for selector in selectors:
        assert selector.name in _known_names() | _PROMETHEUS_OWN
        assert 'job="ostiary"' in selector.prettify()


def test_a_metric_that_does_not_exist_would_be_found() -> None:
    (selector,) = _selectors(_parsed("max(rate(ostiary_nothing_total[5m])) > 1"))

    assert selector.name not in _known_names()


def test_labels_of_the_registry_are_the_labels_that_are_selected() -> None:
    metrics = Metrics()
    declared = {
        name: set(getattr(collector, "_labelnames", ()))
        for collector, names in metrics.registry._collector_to_names.items()
        for name in names
    }
    from_scrape = {"job", "instance", "process", "process_type", "le"}

    for expression in _expressions():
        for selector in _selectors(_parsed(expression)):
            named = {matcher.name for matcher in selector.matchers.matchers}
            assert named <= declared.get(selector.name, set()) | from_scrape, expression


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    names = [alert["alert"] for alert in _alerts()]

    assert len(names) == len(set(names)) > 0
    for alert in _alerts():
        notes = alert["annotations"]
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
        runbook = (ROOT / notes["runbook_url"]).read_text(encoding="utf-8")
        for heading in (
            f"# {alert['alert']}",
            "## What it means",
            "## How to look",
            "## What to do",
        ):
            assert heading in runbook.splitlines(), notes["runbook_url"]


def test_every_runbook_belongs_to_an_alert() -> None:
    written = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}

    assert written == {alert["alert"] for alert in _alerts()}


def test_every_alert_fires_and_stays_quiet() -> None:
    cases = [case for test in _load(CASES)["tests"] for case in test["alert_rule_test"]]

    for alert in (alert["alert"] for alert in _alerts()):
        mine = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
        assert {*mine} == {False, True}, alert


def test_rules_configuration_and_cases_pass_promtool_where_it_is_installed() -> None:
    promtool = shutil.which("promtool")
    commands = [
        ["check", "rules", str(RULES)],
        ["test", "rules", str(CASES)],
        ["check", "config", "--syntax-only", str(CONFIG)],
    ]

    for command in commands if promtool else []:
        done = subprocess.run(
            [str(promtool), *command], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert [(CONFIG.parent / path).parent for path in _load(CONFIG)["rule_files"]] == [RULES.parent]
    assert [(CASES.parent / path).resolve() for path in _load(CASES)["rule_files"]] == [RULES]


def test_prometheus_asks_our_service_discovery() -> None:
    (scrape,) = _load(CONFIG)["scrape_configs"]
    (discovery,) = scrape["http_sd_configs"]

    assert scrape["job_name"] == "ostiary"
    assert discovery["url"].endswith(":3000/ops/prometheus/targets")
    assert discovery["authorization"]["credentials_file"]
