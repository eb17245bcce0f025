"""What the card says of the programs that watch, and of those that are not there."""

from ops.watch.programs import PROGRAMS, Surroundings

_EXPORTERS = {
    "postgres-exporter": "PostgreSQL",
    "redis-exporter": "Redis",
    "node-exporter": "this machine",
}
_NEEDS_A_ROLE = "set DATA_SOURCE_NAME to a role with pg_monitor; docs/watching.md says how"


def rows(around: Surroundings) -> tuple[tuple[str, str], ...]:
    """Return the rows of the card: addresses, then what is missing and the cure."""
    urls = {name: f"http://{around.address(name)}" for name in around.ports}
    found = []
    if "prometheus" in urls:
        found += [("Prometheus", f"{urls['prometheus']}/targets, /alerts and /graph")]
    if "alertmanager" in urls:
        found += [("Alerts", f"{urls['alertmanager']} (Alertmanager; here it tells nobody)")]
    if "grafana" in urls:
        found += [("Grafana", f"{urls['grafana']}/d/ostiary-overview")]
    found += [
        ("Exporter", f"{urls[name]}/metrics ({what})")
        for name, what in _EXPORTERS.items()
        if name in urls
    ]
    return (
        *found,
        *(("Not there", _missing(one.name, around)) for one in PROGRAMS if one.name not in urls),
    )


def _missing(name: str, around: Surroundings) -> str:
    cure = next(one.cure for one in PROGRAMS if one.name == name)
    return f"{name}: {_NEEDS_A_ROLE if name in around.paths else cure}"
