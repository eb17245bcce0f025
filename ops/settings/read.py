"""Reads the settings from their sources and reports every mistake at once."""

import difflib
import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ops.settings.model import Settings, declarations
from ops.settings.rules import broken_rules

KEYS_FILE = "keys.env"
STACK_FILE = "run/stack.env"


class SettingsInvalid(Exception):  # noqa: N818 - what is wrong is the settings
    """One or more settings cannot be used; `mistakes` are sentences that name the cure."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


def load(
    environ: Mapping[str, str] | None = None,
    *,
    directory: Path | None = None,
    strict: bool = True,
    running: bool = True,
) -> Settings:
    """Read and check all settings; raise SettingsInvalid with every mistake.

    `directory` is where `.env` is looked for (the working directory unless given).
    `strict=False` leaves out the rules between settings: for commands that only look.
    `running=False` leaves out the addresses of embedded servers that run, or ran until they were
    killed: for the command that starts them.
    """
    env = dict(os.environ if environ is None else environ)
    dotenv = read_env_file((directory or Path.cwd()) / ".env")
    given = {name: value for name, value in (dotenv | env).items() if value.strip()}
    merged = with_documents_names(given)
    home = Path(merged.get("OSTIARY_HOME") or declarations()["OSTIARY_HOME"].default).expanduser()
    kept = read_env_file(home / KEYS_FILE)
    if running:
        kept |= read_env_file(home / STACK_FILE)
    if merged.get("DATABASE_URL"):  # never mix a database of one's own with an embedded one's roles
        kept = {name: value for name, value in kept.items() if "DATABASE_URL" not in name}
    values, mistakes = _parse(kept | merged)
    if mistakes:
        raise SettingsInvalid(mistakes)
    settings = Settings(**values, warnings=_unknown_names(dotenv))
    broken = broken_rules(settings, merged) if strict else []
    if broken:
        raise SettingsInvalid(broken)
    return settings


def read_env_file(path: Path) -> dict[str, str]:
    """Read NAME=value lines; # comments, quotes and `export` are understood; no file is empty."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid([f"{path} cannot be read: {error}"]) from error
    pairs = (_pair(line) for line in lines)
    return {name: value for name, value in pairs if name}


def _pair(line: str) -> tuple[str, str]:
    line = line.strip().removeprefix("export ")
    name, equals, value = line.partition("=")
    if line.startswith("#") or not equals:
        return "", ""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    else:
        value = value.split(" #")[0].rstrip()
    return name.strip(), value


def with_documents_names(given: Mapping[str, str]) -> dict[str, str]:
    """Add our names for settings given under the names of the documents; ours win."""
    names = dict(given)
    for name, declaration in declarations().items():
        for alias in declaration.aliases:
            if names.get(alias):
                names.setdefault(name, names[alias])
    if names.get("DB_HOST"):
        names.setdefault("DATABASE_URL", _database_url(names))
    if names.get("REDIS_HOST"):
        port = names.get("REDIS_PORT") or "6379"
        names.setdefault("REDIS_URL", f"redis://{names['REDIS_HOST']}:{port}/0")
    if names.get("JWT_SECRET"):
        material = b64encode(sha256(names["JWT_SECRET"].encode()).digest()).decode()
        names.setdefault("SECRET_KEYS", f"jwt:{material}")
    return names


def _database_url(names: Mapping[str, str]) -> str:
    user = quote(names.get("DB_USER", "postgres"), safe="")
    password = quote(names.get("DB_PASSWORD", ""), safe="")
    port, database = names.get("DB_PORT") or "5432", names.get("DB_NAME") or "ostiary"
    return f"postgresql://{user}:{password}@{names['DB_HOST']}:{port}/{quote(database)}"


def _parse(given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for name, declaration in declarations().items():
        text = given.get(name, "").strip() or declaration.default
        try:
            values[name.lower()] = declaration.kind(text)
        except ValueError as error:
            shown = "" if declaration.secret else f"={text}"
            mistakes.append(f"{name}{shown}: {error}")
    return values, mistakes


def _unknown_names(dotenv: Mapping[str, str]) -> tuple[str, ...]:
    known = declarations()
    near = ((name, difflib.get_close_matches(name, known, 1, 0.85)) for name in dotenv)
    return tuple(
        f"{name} in .env is no setting of ours; did you mean {match[0]}?"
        for name, match in near
        if match and name not in known
    )
