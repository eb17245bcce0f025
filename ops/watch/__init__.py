"""`watch`: Prometheus, Alertmanager, exporters and Grafana beside the service, for one machine.

They use our own files of prometheus/ and grafana/, copied to OSTIARY_HOME/watch with the addresses
that hold here, and listen on 127.0.0.1. What is not installed is left out; the card tells of it.
"""

import os
import shlex

from ops.company import Company
from ops.procfile import ProcessType
from ops.settings import Settings
from ops.settings.keys import write_private
from ops.stack import Addresses, Stack
from ops.watch.commands import commands, environments
from ops.watch.files import files
from ops.watch.programs import PROGRAMS, Surroundings, installed
from ops.watch.words import rows

__all__ = ["watchers"]

# Whoever runs PostgreSQL of their own names a role by it, as the exporter itself reads it.
_SOURCE = "DATA_SOURCE_NAME"


def watchers(settings: Settings, stack: Stack, addresses: Addresses) -> Company:
    """Make ready what is installed; StackError when PostgreSQL refuses the exporter's role."""
    paths = installed(os.environ.get("PATH", ""))
    postgres_url = stack.monitor_url() or os.environ.get(_SOURCE, "")
    running = {name for name in paths if postgres_url or name != "postgres-exporter"}
    around = Surroundings(
        folder=settings.home / "watch",
        settings=settings,
        paths=paths,
        ports={one.name: one.vacant_port(settings) for one in PROGRAMS if one.name in running},
        postgres_url=postgres_url,
        redis_url=addresses.redis_url or settings.redis_url,
    )
    for path, text in files(around).items():
        write_private(path, text)
    return Company(
        types=tuple(
            ProcessType(name, shlex.join(command)) for name, command in commands(around).items()
        ),
        environments=environments(around),
        rows=rows(around),
    )
