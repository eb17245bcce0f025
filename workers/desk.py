"""python -m workers jobs: jobs listed, shown, retried, discarded, replayed; queues held."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from ops.metrics import Metrics
from ops.settings import Settings
from storage.actor import operator
from storage.backlog import JobDetails, JobState, JobSummary, Selection, desk, orders
from storage.backlog.orders import Deed
from storage.database import Database
from storage.jobs import CATALOGUE, queues
from storage.pages import Window
from storage.redis import Redis
from storage.repositories import Storage
from workers.status import aligned

_COLUMNS = ("ID", "JOB", "STATE", "TRIES", "AT", "ERROR")
_ERROR_WIDTH = 60
_ONE: Mapping[str, Callable[[Storage, UUID], Awaitable[JobDetails]]] = {
    "retry": desk.retry,
    "discard": desk.discard,
    "replay": desk.replay,
    "replay again": desk.replay_again,
}


def add_parser(commands: Any) -> None:
    """Add `jobs` with its own commands to those of the program."""
    actions = commands.add_parser(
        "jobs", help="list, show, retry, discard, replay jobs; hold and release queues"
    ).add_subparsers(dest="action", required=True)
    list_ = actions.add_parser("list", help="list jobs, the newest first")
    _add_filters(list_, states=tuple(JobState))
    list_.add_argument("--request", help="id of the request that promised it")
    list_.add_argument("--json", action="store_true")
    show = actions.add_parser("show", help="show a job with the ids it is about")
    show.add_argument("id", type=UUID)
    show.add_argument("--json", action="store_true")
    for deed, states in orders.STATES.items():
        _add_deed(actions, deed, states)
    hold = actions.add_parser("hold", help="keep a queue's jobs back until it is released")
    release = actions.add_parser("release", help="let a held queue run again")
    for parser in (hold, release):
        parser.add_argument("queue", choices=queues())
        parser.add_argument("--reason", default="none given", help="the audit trail keeps it")


def _add_deed(actions: Any, deed: Deed, states: tuple[JobState, ...]) -> None:
    parser = actions.add_parser(deed, help=f"{deed} jobs by id, or all that the filters find")
    parser.add_argument("ids", nargs="*", type=UUID, metavar="ID")
    _add_filters(parser, states=states)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    if deed == "replay":
        parser.add_argument(
            "--even-if-done", action="store_true", help="have the effect happen a second time"
        )


def _add_filters(parser: argparse.ArgumentParser, *, states: tuple[JobState, ...]) -> None:
    parser.add_argument("--state", type=JobState, choices=states, help="its state now")
    parser.add_argument("--queue", choices=queues())
    parser.add_argument("--job", choices=sorted(CATALOGUE), metavar="NAME")
    parser.add_argument("--error", help="found in its error, whatever the case")
    parser.add_argument("--since", type=_moment, help="promised at this time (UTC) or later")
    parser.add_argument("--until", type=_moment, help="promised before this time (UTC)")
    parser.add_argument("--limit", type=_count, help="at most so many")


async def run(settings: Settings, args: argparse.Namespace) -> int:
    """Run one command; exit 1 when nothing was changed. Raises Problem."""
    metrics = Metrics()
    redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
    database = await Database.open(
        settings.worker_database_url or settings.database_url,
        keys=settings.keyring,
        metrics=metrics,
        name="jobs",
        pool_size=1,
    )
    database.ring_with(redis.ring_relay)
    try:
        return await _COMMANDS[args.action](database, args)
    finally:
        await database.close()
        await redis.close()


async def _list(database: Database, args: argparse.Namespace) -> int:
    wanted = {
        "state": args.state,
        "queue": args.queue,
        "job": args.job,
        "error": args.error,
        "requestId": args.request,
    }
    window = Window(
        filters={name: value for name, value in wanted.items() if value is not None},
        since=args.since,
        until=args.until,
        limit=args.limit or 20,
        offset=None,
    )
    async with database.transaction() as storage:
        page = await storage.backlog.page(window)
    if args.json:
        _say(json.dumps([_facts(job) for job in page.items], default=str))
        return 0
    _say(aligned([_COLUMNS, *map(_row, page.items)]) if page.items else "there is no such job")
    if page.has_next:
        _say("there are more: --limit")
    return 0


async def _show(database: Database, args: argparse.Namespace) -> int:
    async with database.reading() as storage:
        job = await storage.backlog.by_id(args.id)
    facts = _facts(job)
    if args.json:
        _say(json.dumps(facts, default=str))
        return 0
    _say("\n".join(f"{name:14}  {value}" for name, value in facts.items() if value is not None))
    return 0


async def _do(database: Database, args: argparse.Namespace) -> int:
    return await (_do_each if args.ids else _do_many)(database, args)


async def _do_each(database: Database, args: argparse.Namespace) -> int:
    again = args.action == "replay" and args.even_if_done
    act = _ONE["replay again" if again else args.action]
    for job_id in args.ids:
        async with database.transaction(operator()) as storage:
            job = await act(storage, job_id)
        _say(f"{job_id}: {job.state}" + (f" as {job.id}" if job.id != job_id else ""))
    return 0


async def _do_many(database: Database, args: argparse.Namespace) -> int:
    deed = cast("Deed", args.action)
    selection = Selection(
        state=args.state or JobState.DEAD,
        queue=args.queue,
        job=args.job,
        error_contains=args.error,
        since=args.since,
        before=args.until,
    )
    async with database.transaction() as storage:
        found = await orders.count(storage, deed, selection, limit=args.limit)
    _say(f"{found.matched:,} jobs are {selection.state.replace('_', ' ')}")
    if args.dry_run or not found.matched:
        return 0
    if not args.yes and not _is_meant(f"This will {deed} {found.matched:,} jobs.", deed):
        _say("nothing was changed")
        return 1
    async with database.transaction(operator()) as storage:
        placed = await orders.place(storage, deed, selection, limit=args.limit)
    _say(f"ordered; see how far it is: python -m workers jobs show {placed.id}")
    return 0


async def _hold(database: Database, args: argparse.Namespace) -> int:
    act = desk.hold if args.action == "hold" else desk.release
    async with database.transaction(operator()) as storage:
        changed = await act(storage, args.queue, args.reason)
    now = {"hold": "held", "release": "not held"}[args.action]
    _say(f"{args.queue} is {now}" + ("" if changed else " already"))
    return 0


_COMMANDS: Mapping[str, Callable[[Database, argparse.Namespace], Awaitable[int]]] = {
    "list": _list,
    "show": _show,
    "retry": _do,
    "discard": _do,
    "replay": _do,
    "hold": _hold,
    "release": _hold,
}


def _facts(job: JobSummary) -> dict[str, Any]:
    left_out = {"holder", "progress_done", "progress_total", "letter_state", "letter_answer"}
    facts = {name: value for name, value in asdict(job).items() if name not in left_out}
    facts |= {"running_since": job.running_since, "progress": job.progress}
    return facts | ({"letter": job.letter} if isinstance(job, JobDetails) else {})


def _row(job: JobSummary) -> tuple[str, ...]:
    error = job.error or "-"
    shown = error if len(error) <= _ERROR_WIDTH else f"{error[: _ERROR_WIDTH - 3]}..."
    at = job.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (str(job.id), job.job, job.state, str(job.attempts), at, shown)


def _is_meant(consequence: str, word: str) -> bool:
    with suppress(EOFError):  # nobody is there to be asked
        return input(f"{consequence} Type {word}: ") == word
    return False


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return number


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
