"""An hour passes in a minute: copies of prometheus/ in which every duration is a sixtieth.

What is changed is this and nothing else: ranges, offsets, `for` and `keep_firing_for` of rules, the
times of Alertmanager's routes, and in one alert the age that it compares with. Ranges are never
shorter than 5 seconds, so that they hold two scrapes; those are 2 seconds apart, as are looks at
the rules.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # only tests read YAML

from ops.watch.files import PROMETHEUS

SHARE = 60
_SHORTEST_RANGE, _SHORTEST = 5.0, 1.0
_PACE = "2s"
# An age is a time too, as far as it is compared with how long somebody waits.
_AGE = 'max by (queue) (ostiary_queue_oldest_seconds{job="ostiary"}) > '

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RANGE = re.compile(r"(?<=\[)[0-9smhdw]+(?=\])")
_OFFSET = re.compile(r"(?<=\boffset )[0-9smhdw]+")
_FOR = re.compile(r"^( *(?:for|keep_firing_for): )([0-9smhdw]+)$", re.MULTILINE)
_TIMES = ("group_wait", "group_interval", "repeat_interval")


def hurry(folder: Path, sink: str) -> None:
    """Hurry the files of `ops watch` in its folder; what Alertmanager says goes to `sink`."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    for path in (PROMETHEUS / "rules").glob("*.yml"):
        text = _FOR.sub(_waiting, hurried(path.read_text(encoding="utf-8")))
        (rules / path.name).write_text(text.replace(f"{_AGE}300", f"{_AGE}2"), encoding="utf-8")

    _rewrite(folder / "prometheus.yml", lambda it: _hurry_prometheus(it, rules))
    _rewrite(folder / "alertmanager.yml", lambda it: _tell(it, sink))


def _rewrite(path: Path, change: Callable[[Any], None]) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _waiting(found: re.Match[str]) -> str:
    return f"{found[1]}{_sixtieth(found[2], _SHORTEST)}"


def hurried(expression: str) -> str:
    """Return an expression whose ranges and offsets are a sixtieth."""
    expression = _RANGE.sub(lambda found: _sixtieth(found[0], _SHORTEST_RANGE), expression)
    return _OFFSET.sub(lambda found: _sixtieth(found[0], _SHORTEST), expression)


def _hurry_prometheus(document: Any, rules: Path) -> None:
    document["global"] |= {
        "scrape_interval": _PACE,
        "scrape_timeout": _PACE,
        "evaluation_interval": _PACE,
    }
    document["rule_files"] = [f"{rules}/*.yml"]
    for scrape in document["scrape_configs"]:
        scrape.pop("scrape_interval", None)
        scrape.pop("scrape_timeout", None)
        for discovery in scrape.get("http_sd_configs", ()):
            discovery["refresh_interval"] = _PACE


def _tell(document: Any, sink: str) -> None:
    _hurry_route(document["route"])
    for receiver in document["receivers"]:
        receiver["webhook_configs"] = [{"url": sink, "send_resolved": True}]


def _hurry_route(route: Any) -> None:
    for name in _TIMES:
        if name in route:
            route[name] = _sixtieth(route[name], _SHORTEST)
    for inner in route.get("routes", ()):
        _hurry_route(inner)


def _sixtieth(duration: str, shortest: float) -> str:
    parts = re.findall(r"(\d+)([smhdw])", duration)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts) / SHARE
    return f"{round(max(shortest, seconds) * 1_000)}ms"
