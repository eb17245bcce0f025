"""The rules of Grafana's dashboard-linter, which is a program in Go, as tests of ours."""

import re

import promql_parser
import pytest
from grafana_foundation_sdk.models import units

from tests.dashboards.reading import (
    BOARDS,
    RATE_INTERVAL,
    all_panels,
    calls,
    matched,
    panels,
    selectors,
    variables,
    written,
)
from tests.dashboards.series import OF_EXPORTERS, known, of_the_whole_house

_GROWTH = {"rate", "irate", "increase"}
# The exporter of PostgreSQL has gauges that are called like counters.
_GAUGES = {"pg_stat_activity_count", "pg_locks_count"}
_LABELS_TO_CHOOSE = {"job", "instance", "process", "http_route"}


def test_a_dashboard_is_changed_in_its_code_only() -> None:
    for board in BOARDS:
        assert board["editable"] is False


def test_one_variable_chooses_the_data_source() -> None:
    for board in BOARDS:
        (variable,) = [one for one in variables(board) if one["type"] == "datasource"]
        assert (variable["name"], variable["label"]) == ("datasource", "Data source")
        assert variable["query"] == "prometheus"


@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_can_be_chosen_on_every_dashboard(name: str) -> None:
    for board in BOARDS:
        (variable,) = [one for one in variables(board) if one["name"] == name]
        assert variable["type"] == "query"
        assert variable["label"] == name.title()
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["multi"]
        assert variable["allValue"] == ".+"


def test_what_can_be_chosen_exists_and_is_asked_anew_for_the_time_chosen() -> None:
    for board in BOARDS:
        for variable in variables(board):
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
                assert found, variable["query"]
                (selector,) = selectors(found[1])
                assert selector.name in known()
                assert found[2] in _LABELS_TO_CHOOSE
                assert variable["refresh"] == 2


def test_every_panel_asks_the_data_source_that_was_chosen() -> None:
    for panel in all_panels():
        for asking in (panel, *panel["targets"]):
            assert asking["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_every_panel_has_a_title_and_says_what_to_do() -> None:
    for board in BOARDS:
        titles = [panel["title"] for panel in panels(board)]
        assert len(titles) == len(set(titles)), board["uid"]
        for panel in panels(board):
            assert panel["title"]
            words, *_ = panel["description"].split(" See docs/runbooks/")
            assert len(words) > 30, panel["title"]
            assert panel["description"].endswith((".", "?")), panel["title"]


def test_every_panel_asks_something() -> None:
    for panel in all_panels():
        assert all(target["expr"] for target in panel["targets"])
        assert panel["targets"], panel["title"]


def test_every_unit_is_one_that_grafana_knows() -> None:
    known_units = {value for name, value in vars(units).items() if name[0].isupper()}

    for panel in all_panels():
        used = [panel["fieldConfig"]["defaults"]["unit"]]
        for override in panel["fieldConfig"].get("overrides", ()):
            used += [one["value"] for one in override["properties"] if one["id"] == "unit"]
        assert set(used) <= known_units, panel["title"]


def test_an_expression_parses_and_names_series_that_exist() -> None:
    for expression in written():
        found = selectors(expression)
        assert found
        for selector in found:
            assert selector.name in known(), expression


def test_a_metric_that_does_not_exist_would_be_found() -> None:
    (selector,) = selectors("sum(rate(ostiary_nothing_total[$__rate_interval]))")

    assert selector.name not in known()


def test_a_rate_spans_what_grafana_says() -> None:
    for expression in written():
        for name, argument in calls(expression):
            if name in {"rate", "irate"}:
                assert argument.range == RATE_INTERVAL, expression


def test_a_counter_is_shown_by_how_it_grows() -> None:
    for expression in written():
        grows = {
            argument.vector_selector.name for name, argument in calls(expression) if name in _GROWTH
        }
        for selector in selectors(expression):
            if selector.name.endswith(("_total", "_bucket", "_sum", "_count")):
                assert selector.name in grows | _GAUGES, expression


def test_a_bucket_is_read_as_part_of_a_histogram() -> None:
    for expression in written():
        buckets = [one for one in selectors(expression) if one.name.endswith("_bucket")]
        drawn_as_heatmap = expression.startswith("sum by (le) (increase(")
        if buckets and not drawn_as_heatmap:
            assert "histogram_quantile" in {name for name, _ in calls(expression)}, expression


def test_every_selector_follows_what_was_chosen() -> None:
    exported = {name: job for job, names in OF_EXPORTERS.items() for name in names}

    for expression in written():
        for selector in selectors(expression):
            wanted = matched(selector)
            if job := exported.get(selector.name):
                assert wanted["job"] == job, expression
                assert wanted["instance"] == f"${job}", expression
            elif of_the_whole_house(selector.name):
                assert wanted["job"] == "$job", expression
                # Whoever chooses one process would hide what another one measured for all.
                assert not {"instance", "process"} & set(wanted), expression
            elif selector.name != "ALERTS":
                assert wanted["job"] == "$job", expression
                assert wanted["process"] == "$process", expression
                assert wanted["instance"] == "$instance", expression


def test_chosen_labels_are_matched_as_patterns() -> None:
    for expression in written():
        for selector in selectors(expression):
            for matcher in selector.matchers.matchers:
                if matcher.value.startswith("$"):
                    assert matcher.op == promql_parser.MatchOp.Re, expression
