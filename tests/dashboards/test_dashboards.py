"""What our dashboards promise: current, complete, explained, linked, each idea in one place."""

import re
from itertools import combinations

import promql_parser

from grafana import generate, signals
from tests.dashboards.reading import (
    BOARDS,
    all_panels,
    calls,
    matched,
    nodes,
    panels,
    selectors,
    variables,
    written,
)
from tests.dashboards.series import ROOT, alerts, labels_of_ours

_UIDS = [
    "ostiary-overview",
    "ostiary-api",
    "ostiary-security",
    "ostiary-jobs",
    "ostiary-databases",
    "ostiary-processes",
    "ostiary-audit",
    "ostiary-business",
]
_FROM_SCRAPE = {"job", "instance", "process", "process_type", "le"}


def test_the_files_are_current() -> None:
    there = {path.name: path.read_text("utf-8") for path in generate.FOLDER.glob("*.json")}

    assert there == generate.files(), "run: make docs"


def test_there_is_one_dashboard_for_each_uid() -> None:
    assert [board["uid"] for board in BOARDS] == _UIDS
    assert [f"ostiary-{name}" for name in generate.files()] == [f"{uid}.json" for uid in _UIDS]
    assert len({board["title"] for board in BOARDS}) == len(_UIDS)


def test_the_page_about_dashboards_names_each() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")

    for board in BOARDS:
        title = board["title"].removeprefix("Ostiary / ")
        assert f"| {title} | `{board['uid']}` |" in page


def test_every_dashboard_links_to_the_others_and_keeps_what_was_chosen() -> None:
    for board in BOARDS:
        (link,) = board["links"]
        assert link["type"] == "dashboards"
        assert link["tags"] == board["tags"] == ["ostiary"]
        assert link["includeVars"]
        assert link["keepTime"]


def test_the_service_runs_without_the_library_they_are_made_with() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    floors = [
        path
        for floor in ("api", "workers", "storage", "ops")
        for path in (ROOT / floor).rglob("*.py")
    ]

    assert "grafana" not in lock
    for path in floors:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) grafana", text, re.MULTILINE), path


def test_labels_that_are_named_exist() -> None:
    for expression in written():
        labels = labels_of_ours()
        ours = [one for one in selectors(expression) if one.name in labels]
        may_be_kept = _FROM_SCRAPE.union(*(labels[one.name] for one in ours))
        for selector in ours:
            assert set(matched(selector)) <= labels[selector.name] | _FROM_SCRAPE, expression
        for part in nodes(expression):
            if ours and isinstance(part, promql_parser.AggregateExpr) and part.modifier:
                assert set(part.modifier.labels) <= may_be_kept, expression


def test_a_legend_names_labels_that_its_expression_keeps() -> None:
    for panel in all_panels():
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \((.*?)\)", target["expr"]))))
            named = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            assert not kept or named <= kept, panel["title"]


def test_lines_of_one_panel_can_be_told_apart() -> None:
    for panel in all_panels():
        legends = [target.get("legendFormat") for target in panel["targets"]]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters))
        if panel["type"] == "timeseries":
            assert len(legends) == len(set(legends)), panel["title"]


def test_a_number_is_there_also_where_nothing_ever_happened() -> None:
    for panel in all_panels():
        for target in panel["targets"]:
            named = {name for name, _ in calls(target["expr"])}
            grows = named & {"rate", "increase"} and "histogram_quantile" not in named
            if panel["type"] == "stat" and grows:
                assert "vector" in named, panel["title"]


def test_an_expression_of_two_dashboards_stands_in_one_place() -> None:
    shared = {value for value in vars(signals).values() if isinstance(value, str)}
    shared |= {signals.latency(share) for share in (0.5, 0.95, 0.99)}
    shared |= {signals.since_success()}
    seen: dict[str, set[str]] = {}
    for board in BOARDS:
        for panel in panels(board):
            for target in panel["targets"]:
                seen.setdefault(target["expr"], set()).add(board["uid"])

    assert {expression for expression, uids in seen.items() if len(uids) > 1} <= shared


def test_panels_stand_on_the_grid_and_not_on_each_other() -> None:
    for board in BOARDS:
        numbers = [panel["id"] for panel in board["panels"]]
        assert numbers == list(range(1, len(numbers) + 1))
        for panel in board["panels"]:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for one, other in combinations(board["panels"], 2):
            assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def test_limits_rise_from_the_lowest_value() -> None:
    for panel in all_panels():
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        first, *values = [step["value"] for step in steps]
        assert first is None
        assert values == sorted(values), panel["title"]


def test_every_runbook_that_a_panel_leads_to_exists() -> None:
    for panel in all_panels():
        for link in panel.get("links", ()):
            page = link["url"].replace("${runbooks}", "docs/runbooks")
            assert (ROOT / page).is_file(), page
            assert page in panel["description"]


def test_every_alert_has_a_panel_that_leads_to_its_runbook() -> None:
    leads_to = {
        link["title"].removeprefix("Runbook: ")
        for panel in all_panels()
        for link in panel.get("links", ())
    }

    assert leads_to == alerts()


def test_descriptions_name_pages_that_exist() -> None:
    for panel in all_panels():
        for page in re.findall(r"docs/[\w/-]+\.md", panel["description"]):
            assert (ROOT / page).is_file(), (panel["title"], page)


def test_ones_own_address_of_the_runbooks_can_be_put_in() -> None:
    files = generate.files(runbooks="https://wiki.example.com/books")

    for text in files.values():
        assert '"query": "https://wiki.example.com/books"' in text
        assert generate.RUNBOOKS not in text
    for board in BOARDS:
        (variable,) = [one for one in variables(board) if one["name"] == "runbooks"]
        assert variable["query"] == generate.RUNBOOKS


def test_every_expression_can_be_asked_as_it_is_given() -> None:
    asked = list(generate.expressions())

    assert {uid for uid, _, _ in asked} == set(_UIDS)
    assert {expression for _, _, expression in asked} == {
        generate.filled(target["expr"]) for panel in all_panels() for target in panel["targets"]
    }
    for _, title, expression in asked:
        assert "$" not in expression, title
        promql_parser.parse(expression)


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
