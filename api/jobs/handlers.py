"""Endpoints of jobs: one, or many at once."""

from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from api.access import Needs
from api.context import CALL
from api.envelope import Answer
from api.ids import id_of
from api.jobs.schemas import (
    JOB_LISTS,
    BulkSchema,
    JobDetailsSchema,
    JobSchema,
    OrderSchema,
    Replay,
    ReplaySchema,
)
from api.jobs.service import Bulk, JobService
from api.routing import BASE, Routes
from storage.backlog import JobDetails, JobNotFound, JobSummary, PromisedAlready, WrongState
from storage.backlog.orders import NotSelectable, Order
from storage.pages import Page, Window
from storage.roles import Permission

JOBS = web.AppKey("jobs", JobService)

routes = Routes(f"{BASE}/admin/jobs", tag="Jobs", aliases=("/api/admin/jobs",))

_READS = Needs(Permission.JOBS_READ)
_MANAGES = Needs(Permission.JOBS_MANAGE)


@routes.add("GET", "", access=_READS, gives=JobSchema(many=True), lists=JOB_LISTS)
async def list_jobs(request: web.Request, window: Window) -> Page[JobSummary]:
    """List jobs.

    `at` is when a job is tried next, was handed to the broker, or ended. `sort=at` is quick
    together with `filter[state]`.
    """
    return await request.app[JOBS].page(window)


@routes.add(
    "POST",
    "/retry",
    access=_MANAGES,
    takes=BulkSchema(),
    gives=OrderSchema(),
    status=HTTPStatus.ACCEPTED,
    problems=(NotSelectable,),
    idempotent=True,
)
async def retry_jobs(request: web.Request, body: Bulk) -> Order:
    """Retry many jobs: those that are dead (the default), discarded or delayed.

    A job does it, in batches, and lets queues with more than 1,000 due jobs work them off first:
    GET it by the `id` of the answer to see how far it is. What is promised after the order is not
    meant. With `dryRun` nothing happens, and `id` is null.
    """
    return await request.app[JOBS].order("retry", body, request[CALL])


@routes.add(
    "POST",
    "/discard",
    access=_MANAGES,
    takes=BulkSchema(),
    gives=OrderSchema(),
    status=HTTPStatus.ACCEPTED,
    problems=(NotSelectable,),
    idempotent=True,
)
async def discard_jobs(request: web.Request, body: Bulk) -> Order:
    """Discard many jobs: those that are dead (the default), pending, delayed or handed over.

    What a worker has begun meanwhile is left alone. Otherwise as with /retry.
    """
    return await request.app[JOBS].order("discard", body, request[CALL])


@routes.add(
    "POST",
    "/replay",
    access=_MANAGES,
    takes=BulkSchema(),
    gives=OrderSchema(),
    status=HTTPStatus.ACCEPTED,
    problems=(NotSelectable,),
    idempotent=True,
)
async def replay_jobs(request: web.Request, body: Bulk) -> Order:
    """Replay many jobs: those that are dead (the default), discarded, or, if you say so, done.

    Each becomes a new job, whose effect happens again: one per old job and order, also when the
    order is interrupted. Otherwise as with /retry.
    """
    return await request.app[JOBS].order("replay", body, request[CALL])


@routes.add("GET", "/{id}", access=_READS, gives=JobDetailsSchema(), problems=(JobNotFound,))
async def get_job(request: web.Request) -> JobDetails:
    """Get a job, with the ids it is about and what became of its letter."""
    return await request.app[JOBS].get(_id_of(request))


@routes.add(
    "POST",
    "/{id}/retry",
    access=_MANAGES,
    gives=JobDetailsSchema(),
    problems=(JobNotFound, WrongState, PromisedAlready),
)
async def retry_job(request: web.Request) -> JobDetails:
    """Retry a job that is dead, discarded, or delayed after a failure.

    It is due at once, as if it had never been tried. It stays the same job: what it did already it
    does not do again.
    """
    return await request.app[JOBS].retry(_id_of(request), request[CALL])


@routes.add(
    "POST",
    "/{id}/discard",
    access=_MANAGES,
    gives=JobDetailsSchema(),
    problems=(JobNotFound, WrongState),
)
async def discard_job(request: web.Request) -> JobDetails:
    """Discard a job that is dead, or that nobody has begun.

    It is not done any more, and no longer counted as dead; it can still be retried.
    """
    return await request.app[JOBS].discard(_id_of(request), request[CALL])


@routes.add(
    "POST",
    "/{id}/replay",
    access=_MANAGES,
    takes=ReplaySchema(),
    body_optional=True,
    gives=JobDetailsSchema(),
    status=HTTPStatus.CREATED,
    problems=(JobNotFound, WrongState, PromisedAlready),
    idempotent=True,
)
async def replay_job(request: web.Request, body: Replay) -> Answer:
    """Do a finished job once more, as a new job.

    The new one has an id of its own, so that its effect happens again: a letter goes out a second
    time, under another Message-ID. Of a job that is done only with `evenIfDone`.
    """
    made = await request.app[JOBS].replay(
        _id_of(request), request[CALL], even_if_done=body.even_if_done
    )
    return Answer(data=made, location=f"{routes.prefix}/{made.id}")


def _id_of(request: web.Request) -> UUID:
    return id_of(request.match_info["id"], JobNotFound)
