"""The state folder: who owns it, who works in it, and where the servers may keep their files."""

import errno
import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ops.child import Account

Progress = Callable[[str], None]

# Where root keeps what the servers' account cannot reach in its usual place.
SHARED = Path("/var/lib/ostiary")
# The shortest limit of sockaddr_un is 104 bytes with the final zero (macOS); Linux has 108.
_SOCKET_PATH_LIMIT = 103
_LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"
# What asyncpg, libpq and unix_socket_directories read alike: a comma or colon means more to them.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_LOCK = "lock"
_LINK = "servers"


class StackError(Exception):
    """The servers cannot be run here; the text is one line that names the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the servers keep their files, and the account they run as (None: as whom we are)."""

    home: Path
    data: Path
    sockets: Path
    account: Account | None

    def folder(self, name: str) -> Path:
        """Make a folder for the servers: 0700, of their account."""
        return own_folder(self.data / name, self.account)

    def secret(self, text: str) -> int:
        """Open a nameless file holding the text, readable once by the servers' account."""
        with tempfile.TemporaryFile() as file:
            file.write(text.encode())
            file.seek(0)
            if self.account:
                os.fchown(file.fileno(), self.account.uid, self.account.gid)
            return os.dup(file.fileno())


@contextmanager
def plain_words(path: Path) -> Iterator[None]:
    """Turn an OSError about the folder into a StackError that names the cure."""
    elsewhere = "or set OSTIARY_HOME to a folder elsewhere"
    try:
        yield
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else path
        cures = {
            errno.ENOSPC: f"The disk of {path} is full: free some space, {elsewhere}.",
            errno.EDQUOT: f"The disk quota for {path} is used up: free some space, {elsewhere}.",
            errno.EROFS: f"{path} is read-only: mount it writable, {elsewhere}.",
            errno.EACCES: f"{path} may not be written: change its owner or mode, {elsewhere}.",
            errno.EPERM: f"{path} belongs to another user: change its owner, {elsewhere}.",
            errno.ENOTDIR: f"{path} is not a folder: move that file away, {elsewhere}.",
            errno.EEXIST: f"{path} is not a folder: move that file away, {elsewhere}.",
        }
        fallback = f"{path} cannot be used ({error.strerror or error}): mend it, {elsewhere}."
        raise StackError(cures.get(error.errno or 0, fallback)) from error


def prepare(home: Path, progress: Progress) -> Place:
    """Make the home 0700 and decide where the data lies.

    Root cannot run PostgreSQL, so it hands the servers to a system account: the one that owns the
    home already, else `ostiary`, else `nobody`. No account is created: that is the
    administrator's (or the package's) decision, and `nobody` does where one service runs.
    When that account cannot enter the home (a checkout under a 0700 folder), the data lies in
    /var/lib/ostiary/<hash of the home's path>, to which `servers` in the home is a link.
    """
    account = _account_for(home) if os.geteuid() == 0 else None
    own_folder(home, account)
    data = home
    if account and ((home / _LINK).is_symlink() or not can_enter(home, account)):
        data = _outside(home, account, progress)
    return Place(home=home, data=data, sockets=_sockets(home, data, account), account=account)


def check_is_ours(home: Path) -> None:
    """Refuse a folder that serves others too, before its mode and owner are narrowed."""
    if not home.is_dir() or (home / _LOCK).exists():
        return
    others_enter = stat.S_IMODE(home.stat().st_mode) & 0o005
    if others_enter and {entry.name for entry in home.iterdir()} - {"lost+found"}:
        raise StackError(
            f"{home} holds other things and is open to others: set OSTIARY_HOME to a folder of its"
            f" own, or run `chmod 700 {home}` if it is meant."
        )


def own_folder(path: Path, account: Account | None) -> Path:
    """Make the folder, or check the one there: no link, 0700, owned by the account."""
    owner = account.uid if account else os.geteuid()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # By descriptor: the folder above may belong to the account, which could swap in a link.
    descriptor = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        state = os.fstat(descriptor)
        if account and state.st_uid == os.geteuid():
            os.fchown(descriptor, account.uid, account.gid)
        elif state.st_uid != owner:
            raise StackError(
                f"{path} belongs to user id {state.st_uid}, the servers run as {owner}:"
                f" run `chown -R {owner} {path}`, or set OSTIARY_HOME to a folder elsewhere."
            )
        if stat.S_IMODE(state.st_mode) != 0o700:  # noqa: PLR2004 - a mode reads best as it is
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return path


def can_enter(folder: Path, account: Account) -> bool:
    """Try it as that account: access lists and mount options count, not only modes."""
    attempt = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder],
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return attempt.returncode == 0


def lock(folder: Path) -> int:
    """Hold the folder until the returned descriptor is closed or this process ends."""
    path = folder / _LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        pid = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
        os.close(descriptor)
        raise StackError(
            f"Ostiary is already running here ({folder}) as process {pid}:"
            f" stop it with `kill {pid}`, or set OSTIARY_HOME to a folder elsewhere."
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def passwords(home: Path, names: tuple[str, ...]) -> Mapping[str, str]:
    """Read the passwords of the roles, making those that are missing; the file is 0600."""
    path = home / "passwords.json"
    known: dict[str, str] = {}
    if path.exists():
        try:
            known = json.loads(path.read_text())
        except ValueError as error:
            raise StackError(f"{path} is damaged: restore it from a backup.") from error
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        write_private(path, json.dumps(known, indent=2) + "\n", None)
    return known


def write_private(path: Path, text: str, account: Account | None) -> None:
    """Write a 0600 file whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        if account:
            os.fchown(descriptor, account.uid, account.gid)
        os.fsync(descriptor)
    Path(draft).replace(path)


def moved_aside(path: Path, why: str) -> Path:
    """Rename a folder or file to `<name>.<why>-<UTC time>` beside it; nothing is deleted."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.{why}-{stamp}-{secrets.token_hex(2)}")
    return path.rename(aside)


def free_megabytes(folder: Path) -> int:
    """Tell how much an ordinary user may still write there."""
    return shutil.disk_usage(folder).free // 1_000_000


def _account_for(home: Path) -> Account:
    owner = home.stat().st_uid if home.exists() else 0
    lookups: list[Callable[[], pwd.struct_passwd]] = [
        lambda: pwd.getpwuid(owner),
        lambda: pwd.getpwnam("ostiary"),
        lambda: pwd.getpwnam("nobody"),
    ]
    for lookup in lookups if owner else lookups[1:]:
        with suppress(KeyError):
            entry = lookup()
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        "PostgreSQL refuses to run as root and there is no account `ostiary` or `nobody`:"
        " run `useradd --system ostiary`, or start as an ordinary user."
    )


def _outside(home: Path, account: Account, progress: Progress) -> Path:
    link = home / _LINK
    if link.is_symlink():
        target = link.readlink()
        # The home belongs to the account, which must not lead root to any other folder.
        if target.parent == SHARED and target.is_dir():
            return own_folder(target, account)
        link.unlink()
    if (home / "postgres").exists():
        raise StackError(
            f"The account {account.name} cannot enter {home}, where the data lies:"
            " run `chmod o+x` on the folders above it."
        )
    open_folder(SHARED)
    data = SHARED / _digest(home)
    if data.exists():  # Left by a home at this path that was removed since.
        os.close(lock(data))
        progress(f"Kept the data of a former {home}: {moved_aside(data, 'former')}")
    own_folder(data, account)
    link.symlink_to(data)
    progress(f"{home} is closed to the account {account.name}: the servers' data lies in {data}")
    return data


def open_folder(folder: Path) -> None:
    """Make a folder everybody may enter, whatever the umask says."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)


def _sockets(home: Path, data: Path, account: Account | None) -> Path:
    usual = data / "sockets"
    if _fits(usual):
        return own_folder(usual, account)
    name = f"ostiary-{_digest(home)}"
    temporary = Path(tempfile.gettempdir())
    if not _fits(temporary / name) or (account and not can_enter(temporary, account)):
        temporary = Path("/tmp")  # noqa: S108 - the folder in it is checked to be ours, and 0700
    return own_folder(temporary / name, account)


def _fits(folder: Path) -> bool:
    length = len(os.fsencode(folder)) + len(_LONGEST_SOCKET_NAME)
    return length <= _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(str(folder)) is not None


def _digest(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
