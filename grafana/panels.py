"""Panels as all our dashboards have them, over Grafana's own SDK.

Each has a title, a description that says what to do, what it shows and in which unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar, Unpack

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import heatmap, prometheus, timeseries
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = Builder[dashboard.Panel]
_P = TypeVar("_P", timeseries.Panel, stats.Panel, tables.Panel, heatmap.Panel)
_LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True, slots=True)
class Limits:
    """From which values on a panel turns to which colour, and where its axis begins."""

    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    axis_from: float = 0.0


def above(*, warn: float | None = None, alarm: float | None = None) -> Limits:
    """Turn orange and red from these values on."""
    steps = [(value, color) for value, color in ((warn, "orange"), (alarm, "red")) if value]
    return Limits(((None, "green"), *steps))


def below(*, alarm: float, warn: float | None = None) -> Limits:
    """Turn orange and red under these values."""
    if warn is None:
        return Limits(((None, "red"), (alarm, "green")), axis_from=alarm)
    return Limits(((None, "red"), (alarm, "orange"), (warn, "green")), axis_from=alarm)


class Look(TypedDict, total=False):
    """What not every panel says: its width in 24ths, its limits, the alerts it belongs to."""

    width: int
    limits: Limits
    alerts: tuple[str, ...]


def graph(
    title: str, description: str, *, lines: Mapping[str, str], unit: str, **look: Unpack[Look]
) -> timeseries.Panel:
    """Draw lines over time: expressions by how their legend is written."""
    limits = look.get("limits", Limits())
    style = common.GraphTresholdsStyleMode
    shown = style.DASHED if limits.steps[1:] else style.OFF
    panel = (
        timeseries.Panel()
        .height(8)
        .span(look.get("width", 8))
        .fill_opacity(10)
        .show_points(common.VisibilityMode.NEVER)
        .axis_soft_min(limits.axis_from)
        .thresholds_style(options.GraphThresholdsStyleConfig().mode(shown))
        .legend(_LEGEND)
        .tooltip(_TOOLTIP)
    )
    for letter, (legend, expr) in zip(_LETTERS, lines.items(), strict=False):
        panel.with_target(_query(letter, expr).range().legend_format(legend))
    return _described(panel, title, description, unit, look)


def stack(
    title: str, description: str, *, lines: Mapping[str, str], unit: str, **look: Unpack[Look]
) -> timeseries.Panel:
    """Draw parts of a whole upon each other."""
    panel = graph(title, description, lines=lines, unit=unit, **look)
    stacking = options.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return panel.fill_opacity(40).stacking(stacking)


def stat(
    title: str, description: str, *, expr: str, unit: str, **look: Unpack[Look]
) -> stats.Panel:
    """Show the newest value as a number, with its curve behind it."""
    panel = _number(look).graph_mode(common.BigValueGraphMode.AREA)
    panel.with_target(_query("A", expr).range().legend_format(title))
    return _described(panel, title, description, unit, look)


def figure(
    title: str, description: str, *, expr: str, unit: str, **look: Unpack[Look]
) -> stats.Panel:
    """Show one number about all the time that is chosen; asked once, so it may look far back."""
    panel = _number(look).graph_mode(common.BigValueGraphMode.NONE)
    panel.with_target(_query("A", expr).instant().legend_format(title))
    return _described(panel, title, description, unit, look)


def heat(title: str, description: str, *, expr: str, unit: str, **look: Unpack[Look]) -> Panel:
    """Draw a histogram over time: the buckets of `expr` by their label le."""
    panel = heatmap.Panel().height(8).span(look.get("width", 8)).calculate(calculate=False)
    target = _query("A", expr).range().format(PromQueryFormat.HEATMAP).legend_format("{{le}}")
    panel.with_target(target).y_axis(heatmap.YAxisConfig().unit(unit)).show_tooltip()
    return _described(panel, title, description, unit, look)


def table(
    title: str, description: str, *, columns: Mapping[str, tuple[str, str]], **look: Unpack[Look]
) -> Panel:
    """List series by their labels: for each column its expression and unit."""
    panel = tables.Panel().height(8).span(look.get("width", 24)).show_header(show_header=True)
    names = {"Value": next(iter(columns))} if len(columns) == 1 else {}
    for letter, (column, (expr, unit)) in zip(_LETTERS, columns.items(), strict=False):
        panel.with_target(_query(letter, expr).instant().format(PromQueryFormat.TABLE))
        panel.override_by_name(column, [dashboard.DynamicConfigValue("unit", unit)])
        names.setdefault(f"Value #{letter}", column)
    for step, settings in (
        ("merge", {}),
        ("organize", {"excludeByName": _HIDDEN, "renameByName": names}),
    ):
        panel.with_transformation(dashboard.DataTransformerConfig(step, options=settings))
    return _described(panel, title, description, "short", look)


_LEGEND = (
    options.VizLegendOptions()
    .display_mode(common.LegendDisplayMode.LIST)
    .placement(common.LegendPlacement.BOTTOM)
    .show_legend(show_legend=True)
)
_LAST = options.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(values=False)
# Columns of tables that say nothing.
_HIDDEN = {"Time": True, "__name__": True, "alertstate": True}
_TOOLTIP = (
    options.VizTooltipOptions()
    .mode(common.TooltipDisplayMode.MULTI)
    .sort(common.SortOrder.DESCENDING)
)


def _query(letter: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(expr).datasource(SOURCE)


def _number(look: Look) -> stats.Panel:
    color = common.BigValueColorMode
    return (
        stats.Panel()
        .height(4)
        .span(look.get("width", 4))
        .reduce_options(_LAST)
        .color_mode(color.BACKGROUND if "limits" in look else color.VALUE)
    )


def _described(panel: _P, title: str, description: str, unit: str, look: Look) -> _P:
    """Say what the panel is for, and lead to the runbooks of the alerts it belongs to."""
    alerts = look.get("alerts", ())
    pages = ", ".join(f"docs/runbooks/{alert}.md" for alert in alerts)
    steps = [dashboard.Threshold(*step) for step in look.get("limits", Limits()).steps]
    thresholds = dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    return (
        panel.title(title)
        .description(f"{description} See {pages}." if alerts else description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(thresholds.steps(steps))
        .links([_runbook(alert) for alert in alerts])
    )


def _runbook(alert: str) -> dashboards.DashboardLink:
    return (
        dashboards.DashboardLink(f"Runbook: {alert}")
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{alert}.md")
        .target_blank(target_blank=True)
    )
