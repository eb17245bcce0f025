"""How a process starts: with all its settings, and patient with servers that are still starting."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from io import TextIOWrapper
from typing import TypeVar

from ops.error_reports import report_errors
from ops.errors import Unavailable
from ops.logging import get_logger, set_up
from ops.settings import Settings, SettingsInvalid, load

T = TypeVar("T")

# The exit code of a process whose settings cannot work (sysexits.h); a restart would not help.
EX_CONFIG = 78

PATIENCE_SECONDS = 30.0
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 5.0

_log = get_logger()


async def until_reachable(
    server: str, attempt: Callable[[], Awaitable[T]], *, patience: float = PATIENCE_SECONDS
) -> T:
    """Call `attempt` until it no longer raises Unavailable, backing off; raise the last one."""
    deadline = time.monotonic() + patience
    wait = _FIRST_WAIT
    while True:
        try:
            return await attempt()
        except Unavailable as problem:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            _log.warning(f"{server} does not answer, trying again", reason=problem.message)
            await asyncio.sleep(min(wait, left))
            wait = min(wait * 2, _LONGEST_WAIT)


def run_process(default_name: str, serve: Callable[[Settings, str], int]) -> int:
    """Run a process of the Procfile with its settings and logs set up; return its exit code.

    0 when it was told to stop, 1 when a server stayed away, 78 when a setting is wrong.
    """
    name = os.environ.get("OSTIARY_PROCESS", default_name)
    try:
        settings = settings_for_process()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return EX_CONFIG
    if isinstance(sys.stdout, TextIOWrapper):  # the log says itself when its lines leave
        sys.stdout.reconfigure(line_buffering=False, write_through=False)
    try:
        set_up(settings, process=name)
    except OSError as error:
        sys.stderr.write(
            f"LOG_DIR={settings.log_dir}: {error.strerror}; name a folder we may write\n"
        )
        return EX_CONFIG
    report_errors(settings, process=name)
    for warning in settings.warnings:
        _log.warning(warning)
    try:
        return serve(settings, name)
    except Unavailable as problem:
        _log.error("cannot start", reason=problem.message)
        return 1


def settings_for_process() -> Settings:
    """Read the settings; raise SettingsInvalid also for what every process needs."""
    settings = load()
    needed = {
        "DATABASE_URL": settings.database_url or settings.worker_database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEYS": settings.secret_keys,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SettingsInvalid(
            [f"{name}: not set; run `make up`, or set it to yours" for name in missing]
        )
    return settings


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; call it on the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
