"""A dashboard as all of ours are: its variables, its links to the others, rows of panels."""

from itertools import count

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import SOURCE, Panel
from grafana.promql import ours

TAG = "ostiary"
# Nobody's address: `python -m grafana.generate --runbooks` puts in yours.
RUNBOOKS = "https://git.example.org/ostiary/docs/runbooks"

_ALL = dashboard.VariableOption(selected=True, text="All", value="$__all")
_OURS = dashboard.VariableOption(selected=True, text="ostiary", value="ostiary")


class Row:
    """Panels under one heading."""

    def __init__(self, title: str, *panels: Panel) -> None:
        self.title = title
        self.panels = panels


def choice(name: str, series: str, *, label: str) -> dashboards.QueryVariable:
    """Let people choose among the values that a label of these series has."""
    return (
        dashboards.QueryVariable(name)
        .label(name.title())
        .datasource(SOURCE)
        .query(f"label_values({series}, {label})")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
        .current(_ALL)
    )


def board(  # noqa: PLR0913 - what one dashboard is
    uid: str,
    title: str,
    *,
    description: str,
    rows: tuple[Row, ...],
    choices: tuple[dashboards.QueryVariable, ...] = (),
    since: str = "now-1h",
) -> dashboard.Dashboard:
    """Put rows of panels under the variables that every dashboard has, and `choices`."""
    made = (
        dashboards.Dashboard(title)
        .uid(uid)
        .description(f"{description} Made by python -m grafana.generate.")
        .tags([TAG])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .version(1)
        .variables([*_variables(), *choices, _runbooks()])
        .link(_to_the_others())
    )
    numbers = count(1)
    for row in rows:
        made.with_row(dashboards.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(panel)
            panel.build().id_val = next(numbers)
    whole = made.build()
    whole.annotations.list_val = [_starts()]
    return whole


class _Mark(dashboard.AnnotationQuery):
    """A mark with words, for which the SDK has no field."""

    words: str

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self.words}


def _variables() -> list[Builder[dashboard.VariableModel]]:
    known = 'ostiary_build_info{job=~"$job"}'
    return [
        dashboards.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        # All would be the jobs of other services too, since metrics like `up` are everybody's.
        choice("job", "ostiary_build_info", label="job").include_all(False).current(_OURS),
        # A process without a name is one that is listed by hand instead of found.
        choice("process", known, label="process").all_value(".*"),
        choice("instance", f'{known[:-1]}, process=~"$process"}}', label="instance"),
    ]


def _runbooks() -> dashboards.ConstantVariable:
    return dashboards.ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS)


def _starts() -> _Mark:
    """Mark where a process began, since a jump in a curve there is no riddle."""
    mark = _Mark(
        name="Processes that started",
        datasource=SOURCE,
        icon_color="blue",
        expr=f"time() - {ours('process_start_time_seconds')} < 60",
    )
    mark.words = "{{process}} started"
    return mark


def _to_the_others() -> dashboards.DashboardLink:
    return (
        dashboards.DashboardLink("Ostiary")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=False)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
