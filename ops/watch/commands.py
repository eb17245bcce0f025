"""How each program is started; secrets go by environment or file, since anybody reads arguments."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ops.watch.files import GRAFANA, PROVISIONING
from ops.watch.programs import Surroundings

# Where Grafana's own packages put it.
_GRAFANA_HOME = "/usr/share/grafana"
_QUIET = "--log.level=warn"


def commands(around: Surroundings) -> dict[str, list[str]]:
    """Return the command of each program that will run."""
    folder = around.folder
    options = {
        "prometheus": [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            "--storage.tsdb.retention.time=7d",
            "--storage.tsdb.retention.size=1GB",
            _QUIET,
        ],
        "alertmanager": [
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",  # else it also listens on 0.0.0.0:9094
            _QUIET,
        ],
        # It asks for columns that PostgreSQL 17 moved elsewhere.
        "postgres-exporter": ["--no-collector.bgwriter", _QUIET],
        "redis-exporter": [],
        # Debian's asks systemd, which is not everywhere, and complains at every scrape.
        "node-exporter": ["--no-collector.systemd", _QUIET],
    }
    found = {
        name: [around.paths[name], f"--web.listen-address={around.address(name)}", *options[name]]
        for name in around.ports
        if name in options
    }
    if "grafana" in around.ports:
        found["grafana"] = _grafana(Path(around.paths["grafana"]))
    return found


def _grafana(path: Path) -> list[str]:
    server = [str(path)] if path.name == "grafana-server" else [str(path), "server"]
    return [*server, f"--homepath={_GRAFANA_HOME}"]


def environments(around: Surroundings) -> dict[str, Mapping[str, str]]:
    """Return the environment of each program: nothing of ours but what it needs."""
    own: dict[str, Mapping[str, str]] = {
        "postgres-exporter": {"DATA_SOURCE_NAME": around.postgres_url},
        "redis-exporter": _redis(around.redis_url),
        "grafana": _grafana_settings(around),
    }
    plain = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return {name: {**plain, **own.get(name, {})} for name in around.ports}


def _redis(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return {"REDIS_ADDR": url}
    password = unquote(parts.password or "")
    return {"REDIS_ADDR": f"unix://{unquote(parts.path)}", "REDIS_PASSWORD": password}


def _grafana_settings(around: Surroundings) -> dict[str, str]:
    if "grafana" not in around.ports:
        return {}
    return {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(around.ports["grafana"]),
        "GF_PATHS_DATA": str(around.folder / "grafana"),
        "GF_PATHS_LOGS": str(around.folder / "grafana" / "log"),
        "GF_PATHS_PROVISIONING": str(around.folder / PROVISIONING),
        "OSTIARY_DASHBOARDS": str(GRAFANA / "dashboards"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(GRAFANA / "dashboards" / "overview.json"),
        # Whoever reaches this port may look; nobody knows a password to do more.
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_SECURITY_ADMIN_PASSWORD": secrets.token_urlsafe(24),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_LOG_LEVEL": "warn",
    }
