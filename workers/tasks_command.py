"""`python -m workers.clock list | run TASK`: see periodic tasks, have one done now."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from uuid import UUID

from ops.errors import Problem
from ops.metrics import Metrics
from ops.settings import Settings, SettingsInvalid, load
from ops.start import EX_CONFIG
from storage.actor import operator
from storage.clock_slots import JobEnding, Run, TaskState
from storage.database import Database
from storage.tasks import TASKS, Task, next_slot, task_named

_LOOK_SECONDS = 0.2
_COLUMNS = ("TASK", "SCHEDULE", "LAST SLOT", "LAST SUCCESS", "TOOK", "NEXT", "DOES")


def add_parsers(commands: Any) -> None:
    """Add `list` and `run` to the clock's commands."""
    list_ = commands.add_parser("list", help="list periodic tasks and when they last succeeded")
    list_.add_argument("--json", action="store_true")
    run_ = commands.add_parser(
        "run", help="have a task done now; exit 0 when it is done, 1 when it is given up"
    )
    run_.add_argument("task", help="its name, as `list` shows it")
    run_.add_argument("--no-wait", action="store_true", help="do not wait until it is done")


def main(args: argparse.Namespace) -> int:
    """Run one command; exit 0 on success, 1 on failure, 78 on wrong settings."""
    try:
        return asyncio.run(_COMMANDS[args.command](_settings(), args))
    except SettingsInvalid as error:
        _warn(str(error))
        return EX_CONFIG
    except KeyboardInterrupt:
        return 1
    except Problem as error:
        _warn(error.message)
        return 1


def _settings() -> Settings:
    settings = load()
    if not (settings.worker_database_url or settings.database_url):
        raise SettingsInvalid(["DATABASE_URL: not set; run `make up`, or set it to yours"])
    return settings


async def _list(settings: Settings, args: argparse.Namespace) -> int:
    database = await _open(settings)
    try:
        async with database.reading() as storage:
            now = await storage.clock.now()
            states = await storage.clock.states([task.name for task in TASKS])
    finally:
        await database.close()
    rows = [_facts(task, state, now) for task, state in zip(TASKS, states, strict=True)]
    _say(json.dumps(rows, indent=2) if args.json else _table(rows))
    return 0


async def _run(settings: Settings, args: argparse.Namespace) -> int:
    task = task_named(args.task)
    database = await _open(settings)
    try:
        async with database.transaction(operator()) as storage:
            run = await storage.clock.run_now(task.job)
            await storage.audit.note("task.run", subject=run.job_id, task=task.name, made=run.made)
        _say(f"{task.name}: job {run.job_id} {'promised' if run.made else 'was promised before'}")
        if args.no_wait:
            return 0
        ending = await _ending(database, run.job_id)
    finally:
        await database.close()
    return _told(task, run, ending)


async def _ending(database: Database, job_id: UUID) -> JobEnding:
    said = None
    while True:
        async with database.reading() as storage:
            ending = await storage.clock.ending(job_id)
        if ending.over:
            return ending
        if ending.error and ending.error != said:
            _warn(f"failed, will be tried again: {ending.error}")
            said = ending.error
        await asyncio.sleep(_LOOK_SECONDS)


def _told(task: Task, run: Run, ending: JobEnding) -> int:
    if ending.state == "done":
        _say(f"{task.name}: done in {ending.seconds or 0:.1f} s")
        return 0
    why = f": {ending.error}" if ending.error else ""
    _warn(f"{task.name}: job {run.job_id} is {ending.state or 'gone'}{why}")
    return 1


async def _open(settings: Settings) -> Database:
    return await Database.open(
        settings.worker_database_url or settings.database_url,
        keys=settings.keyring,
        metrics=Metrics(),
        name="tasks",
        pool_size=1,
    )


def _facts(task: Task, state: TaskState, now: datetime) -> dict[str, Any]:
    return {
        "task": task.name,
        "does": task.does,
        "schedule": task.cron,
        "lastSlot": _time(state.last_slot),
        "lastSuccess": _time(state.last_success),
        "lastSeconds": None if state.last_seconds is None else round(state.last_seconds, 3),
        "next": _time(next_slot(task.cron, now)),
        "jobId": str(state.job_id) if state.job_id else None,
        "state": state.state,
        "error": state.error,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    shown = [_COLUMNS]
    for row in rows:
        took = "-" if row["lastSeconds"] is None else f"{row['lastSeconds']:.1f}s"
        times = [row[name] or "never" for name in ("lastSlot", "lastSuccess", "next")]
        shown.append((row["task"], row["schedule"], *times[:2], took, times[2], row["does"]))
    widths = [max(len(line[column]) for line in shown) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in shown
    )


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _warn(line: str) -> None:
    sys.stderr.write(f"{line}\n")


_COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "list": _list,
    "run": _run,
}
