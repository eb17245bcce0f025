"""The programs that watch: how they are called, where they come from, where they listen."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.ports import vacant
from ops.settings import Settings

_GRAFANA = "https://grafana.com/docs/grafana/latest/setup-grafana/installation/debian/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program; `cure` is what to do where it is not installed."""

    name: str
    # Debian's name first, then that of the project's own archives.
    files: tuple[str, ...]
    usual_port: int
    cure: str

    def vacant_port(self, settings: Settings) -> int:
        """Return the port that it is usually found at, or one that nobody has or will have."""
        return vacant(self.usual_port, but=settings.port)


PROGRAMS = (
    Program(
        name="prometheus", files=("prometheus",), usual_port=9090, cure="apt install prometheus"
    ),
    Program(
        name="alertmanager",
        files=("prometheus-alertmanager", "alertmanager"),
        usual_port=9093,
        cure="apt install prometheus-alertmanager",
    ),
    Program(
        name="grafana",
        files=("grafana", "grafana-server"),
        usual_port=3001,
        cure=f"not in Debian; {_GRAFANA}",
    ),
    Program(
        name="postgres-exporter",
        files=("prometheus-postgres-exporter", "postgres_exporter"),
        usual_port=9187,
        cure="apt install prometheus-postgres-exporter",
    ),
    Program(
        name="redis-exporter",
        files=("prometheus-redis-exporter", "redis_exporter"),
        usual_port=9121,
        cure="apt install prometheus-redis-exporter",
    ),
    Program(
        name="node-exporter",
        files=("prometheus-node-exporter", "node_exporter"),
        usual_port=9100,
        cure="apt install prometheus-node-exporter",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the programs need to know of this run; `ports` has those only that will run."""

    folder: Path
    settings: Settings
    paths: Mapping[str, str]
    ports: Mapping[str, int]
    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)

    def address(self, name: str) -> str:
        """Return host:port of a program that will run."""
        return f"127.0.0.1:{self.ports[name]}"


def installed(path: str) -> dict[str, str]:
    """Return the file of each program that is on this PATH."""
    found = {
        one.name: next(filter(None, (shutil.which(file, path=path) for file in one.files)), None)
        for one in PROGRAMS
    }
    return {name: file for name, file in found.items() if file}
