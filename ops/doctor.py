"""`doctor`: looks at everything and names the cure; each floor is asked as a process of its own."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ops.child import Spawn, kill_group
from ops.nursery import Nursery
from ops.settings import Settings, SettingsInvalid, load

_PATIENCE_SECONDS = 60
_MIN_FREE_MB = 500
_LONG_TOKEN_SECONDS = 3_600
_FLOORS = (("storage", "check"), ("workers.check",))


def doctor(*, as_json: bool = False) -> int:
    """Print what was found; return 0 when all is well, 1 otherwise."""
    findings = _everything()
    if as_json:
        print(json.dumps(findings))
    else:
        for item in findings:
            cure = f"\n       -> {item['cure']}" if item["cure"] else ""
            print(f"{'ok ' if item['ok'] else 'BAD'}  {item['name']}: {item['seen']}{cure}")
    return 0 if all(item["ok"] for item in findings) else 1


def _everything() -> list[dict[str, Any]]:
    try:
        settings = load()
    except SettingsInvalid as error:
        return [
            _finding("settings", ok=False, seen=mistake, cure="see .env.example")
            for mistake in error.mistakes
        ]
    findings = [
        _finding("settings", ok=True, seen=f"{settings.environment}, as .env.example explains"),
        _public_url(settings),
        _token_life(settings),
        _home(settings),
        _disk(settings),
        *(_finding("settings", ok=True, seen=text, cure="mend .env") for text in settings.warnings),
    ]
    if not settings.database_url:
        cure = "run `make up`, or set DATABASE_URL"
        return [*findings, _finding("servers", ok=False, seen="not running", cure=cure)]
    nursery = Nursery()
    nursery.prepare(*(module for module, *_ in _FLOORS))
    return findings + [item for floor in _FLOORS for item in _ask(nursery, *floor)]


def _ask(nursery: Nursery, module: str, *arguments: str) -> list[dict[str, Any]]:
    arguments = (*arguments, "--json")
    cure = f"run {' '.join(('python -m', module, *arguments))}"
    with TemporaryFile() as said, TemporaryFile() as complained:
        how = Spawn(
            death_signal=signal.SIGKILL, environment=os.environ, output=said, errors=complained
        )
        child = nursery.start(module, arguments, how)
        try:
            child.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(child)
            child.wait()
            seen = f"no answer within {_PATIENCE_SECONDS} s"
            return [_finding(module, ok=False, seen=seen, cure=cure)]
        said.seek(0)
        complained.seek(0)
        answer, complaint = said.read().decode(), complained.read().decode()
    try:
        findings: list[dict[str, Any]] = json.loads(answer)
    except ValueError:
        seen = (complaint or answer).strip()[-300:]
        return [_finding(module, ok=False, seen=seen, cure=cure)]
    return findings


def _public_url(settings: Settings) -> dict[str, Any]:
    if settings.public_url:
        return _finding("public url", ok=True, seen=settings.public_url)
    seen = f"not set; letters point to {settings.base_url}"
    return _finding("public url", ok=True, seen=seen, cure="set PUBLIC_URL before others use it")


def _token_life(settings: Settings) -> dict[str, Any]:
    seconds = settings.access_token_ttl
    cure = "15m is usual; sessions live on by refreshing" if seconds > _LONG_TOKEN_SECONDS else ""
    return _finding("access tokens", ok=True, seen=f"live {seconds} s", cure=cure)


def _home(settings: Settings) -> dict[str, Any]:
    home: Path = settings.home
    if not home.is_dir() or not os.access(home, os.W_OK):
        cure = "set OSTIARY_HOME to a folder that can be written"
        return _finding("home", ok=False, seen=f"{home} cannot be written", cure=cure)
    if home.stat().st_mode & 0o077:
        cure = f"chmod 700 {home}"
        return _finding("home", ok=False, seen=f"{home} is open to others", cure=cure)
    return _finding("home", ok=True, seen=str(home))


def _disk(settings: Settings) -> dict[str, Any]:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free // 1_000_000
    ok = free >= _MIN_FREE_MB
    return _finding("disk", ok=ok, seen=f"{free} MB free", cure="" if ok else "make room")


def _finding(name: str, *, ok: bool, seen: str, cure: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "seen": seen, "cure": cure}
