"""Our files of prometheus/ and grafana/ as they are for this run: other addresses, nothing else."""

import re
from pathlib import Path

from ops.watch.programs import PROGRAMS, Surroundings

ROOT = Path(__file__).parents[2]
PROMETHEUS, GRAFANA = ROOT / "prometheus", ROOT / "grafana"
PROVISIONING = "grafana-provisioning"

_TOKEN = "ops_token"  # noqa: S105 - the name of the file
_SERVICE_PORT = 3000
_RECEIVERS = re.compile(r"^receivers:\n(?P<all>(?:[ \t#-].*\n|\n)*)", re.MULTILINE)
_RECEIVER = re.compile(r"^ *- *name: *(\S+)", re.MULTILINE)


def files(around: Surroundings) -> dict[Path, str]:
    """Return the text of each file by its path under `around.folder`."""
    provisioning = GRAFANA / "provisioning"
    written = {
        around.folder / _TOKEN: around.settings.ops_token,
        around.folder / "prometheus.yml": _prometheus(around),
        around.folder / "alertmanager.yml": without_receivers(_read("alertmanager.yml")),
    }
    for path in provisioning.rglob("*.yml"):
        copy = around.folder / PROVISIONING / path.relative_to(provisioning)
        written[copy] = _moved(path.read_text(encoding="utf-8"), around)
    return written


def without_receivers(text: str) -> str:
    """Leave of every receiver its name: whoever tries things out wakes nobody."""
    found = _RECEIVERS.search(text)
    names = _RECEIVER.findall(found["all"]) if found else []
    listed = "".join(f"  - name: {name}\n" for name in names)
    return _RECEIVERS.sub(lambda _: f"receivers:\n{listed}\n", text)


def _prometheus(around: Surroundings) -> str:
    text = _moved(_read("prometheus.yml"), around)
    text = text.replace("- rules/", f"- {PROMETHEUS / 'rules'}/")
    return re.sub(r"credentials_file: \S+", f"credentials_file: {around.folder / _TOKEN}", text)


def _moved(text: str, around: Surroundings) -> str:
    """Put this run's addresses in the place of the usual ones, none for what does not run."""
    settings = around.settings
    text = text.replace(f"localhost:{_SERVICE_PORT}", f"{_host(settings.host)}:{settings.port}")
    for one in PROGRAMS:
        usual = rf"""["']?\blocalhost:{one.usual_port}\b["']?"""
        here = around.address(one.name) if one.name in around.ports else ""
        text = re.sub(usual, here, text)
    return text


def _host(host: str) -> str:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"[{reached}]" if ":" in reached else reached


def _read(name: str) -> str:
    return (PROMETHEUS / name).read_text(encoding="utf-8")
