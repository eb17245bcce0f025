"""Reads the settings from their sources and reports every mistake at once."""

import difflib
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ops.settings.declarations import declarations
from ops.settings.model import Settings
from ops.settings.rules import broken_rules, doubtful_rules

KEYS_FILE = "keys.env"
STACK_FILE = "run/stack.env"

# One line of `.env`: what follows a closing quote, or ` #`, is a comment.
_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*="""
    r"""(?:\s*"(?P<double>[^"]*)"\s*(?:\#.*)?|\s*'(?P<single>[^']*)'\s*(?:\#.*)?"""
    r"""|(?P<plain>(?:(?!\s\#).)*)(?:\s\#.*)?)"""
)
# The documents show values such as <email_service>; one of their names is also one of ours.
_PLACEHOLDER = re.compile(r"<[a-z_ -]+>")
_SHARED_NAMES = {"SENTRY_DSN"}


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
    merged = with_documents_names(_given(dotenv, env))
    home = Path(merged.get("OSTIARY_HOME") or declarations()["OSTIARY_HOME"].default).expanduser()
    kept = read_env_file(home / KEYS_FILE)
    if running:
        kept |= read_env_file(home / STACK_FILE)
    if any("DATABASE_URL" in name for name in merged):
        # Never mix a database of one's own with an embedded one's roles.
        kept = {name: value for name, value in kept.items() if "DATABASE_URL" not in name}
    values, mistakes = _parse(kept | merged)
    warnings = (*_unknown_names(dotenv), *_placeholders(dotenv))
    settings = Settings(**values)
    settings = replace(settings, warnings=(*warnings, *doubtful_rules(settings)))
    if strict:
        told = tuple(mistakes)  # What cannot be read is told once, not again as missing.
        mistakes += [text for text in broken_rules(settings, merged) if not _same(text, told)]
    if mistakes:
        raise SettingsInvalid(mistakes)
    return settings


def _given(dotenv: dict[str, str], env: dict[str, str]) -> dict[str, str]:
    """Return what was set, empty values left out; the environment wins under any of the names."""
    own = {alias: name for name, declared in declarations().items() for alias in declared.aliases}
    said = {own.get(name, name) for name, value in env.items() if value.strip()}
    left = {name: value for name, value in dotenv.items() if own.get(name, name) not in said}
    return {name: value for name, value in (left | env).items() if value.strip()}


def _same(sentence: str, told: tuple[str, ...]) -> bool:
    name = re.split("[=:,]", sentence)[0]
    return any(re.split("[=:]", mistake)[0] == name for mistake in told)


def read_env_file(path: Path) -> dict[str, str]:
    """Read NAME=value lines; # comments, quotes and `export` are understood; no file is empty."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        cure = "make it a text file in UTF-8 that this account may read"
        raise SettingsInvalid([f"{path} cannot be read ({error}); {cure}"]) from error
    pairs = (_pair(line) for line in lines)
    return {name: value for name, value in pairs if name}


def _pair(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        return "", ""
    quoted = match["double"] if match["double"] is not None else match["single"]
    return match["name"], match["plain"].strip() if quoted is None else quoted


def with_documents_names(given: Mapping[str, str]) -> dict[str, str]:
    """Add our names for settings given under the names of the documents; ours win."""
    names = {
        name: value
        for name, value in given.items()
        if name not in _SHARED_NAMES or not _PLACEHOLDER.fullmatch(value)
    }
    for name, declaration in declarations().items():
        for alias in declaration.aliases:
            if names.get(alias) and not _PLACEHOLDER.fullmatch(names[alias]):
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
            values[name.lower()] = declaration.kind(declaration.default)
            shown = "" if declaration.secret else f"={text}"
            mistakes.append(f"{name}{shown}: {error}")
    return values, mistakes


def _placeholders(dotenv: Mapping[str, str]) -> tuple[str, ...]:
    theirs = {alias for declared in declarations().values() for alias in declared.aliases}
    return tuple(
        f"{name}={value} in .env is a placeholder, taken as not set; write its value or remove it"
        for name, value in dotenv.items()
        if name in theirs | _SHARED_NAMES and _PLACEHOLDER.fullmatch(value)
    )


def _unknown_names(dotenv: Mapping[str, str]) -> tuple[str, ...]:
    known = declarations()
    near = ((name, difflib.get_close_matches(name, known, 1, 0.85)) for name in dotenv)
    return tuple(
        f"{name} in .env is no setting of ours; did you mean {match[0]}?"
        for name, match in near
        if match and name not in known
    )
