"""Endpoints of queues, and of messages that nobody could read."""

from collections.abc import Sequence

from aiohttp import web

from api.access import Needs
from api.context import CALL
from api.envelope import Answer
from api.ids import id_of
from api.jobs.schemas import (
    MESSAGE_LISTS,
    HoldSchema,
    MessageSchema,
    Reason,
    ReleaseSchema,
    StaffedQueueSchema,
)
from api.jobs.service import QueueService, StaffedQueue
from api.routing import BASE, Routes
from storage.backlog import QueueNotFound
from storage.pages import Page, Window
from storage.quarantine import MessageNotFound, QuarantinedMessage
from storage.roles import Permission

QUEUES = web.AppKey("queues", QueueService)

routes = Routes(f"{BASE}/admin", tag="Jobs", aliases=("/api/admin",))

_READS = Needs(Permission.JOBS_READ)
_MANAGES = Needs(Permission.JOBS_MANAGE)


@routes.add("GET", "/queues", access=_READS, gives=StaffedQueueSchema(many=True))
async def list_queues(request: web.Request) -> Sequence[StaffedQueue]:
    """List queues: what waits in each, and who works on it.

    `pending` is due, `delayed` is not yet, `handedOver` lies with the broker. `oldestSeconds` is
    the age of the oldest job that is due and that nobody works on. The figures per minute are those
    of the last five. `paused` queues wait for a server that does not answer, and try it every 15
    seconds; one that is `held` waits until it is released. `workers` is null while Redis is away.
    """
    return await request.app[QUEUES].all()


@routes.add(
    "POST",
    "/queues/{queue}/hold",
    access=_MANAGES,
    takes=HoldSchema(),
    gives=StaffedQueueSchema(),
    problems=(QueueNotFound,),
)
async def hold_queue(request: web.Request, body: Reason) -> StaffedQueue:
    """Hold a queue: nothing of it is worked on until it is released.

    What is running ends; what the broker has comes back. A second time nothing happens.
    """
    queue = request.match_info["queue"]
    return await request.app[QUEUES].hold(queue, body.reason, request[CALL])


@routes.add(
    "POST",
    "/queues/{queue}/release",
    access=_MANAGES,
    takes=ReleaseSchema(),
    body_optional=True,
    gives=StaffedQueueSchema(),
    problems=(QueueNotFound,),
)
async def release_queue(request: web.Request, body: Reason) -> StaffedQueue:
    """Release a queue that is held.

    Nothing happens to one that is not; a queue that waits for a server goes on waiting.
    """
    queue = request.match_info["queue"]
    return await request.app[QUEUES].release(queue, body.reason, request[CALL])


@routes.add(
    "GET", "/quarantine", access=_READS, gives=MessageSchema(many=True), lists=MESSAGE_LISTS
)
async def list_quarantine(request: web.Request, window: Window) -> Page[QuarantinedMessage]:
    """List broker messages that could not be read.

    They were put away so that they delay nobody, and are deleted after 30 days. `head` is how the
    message begins, at most 2 KiB of it, with every byte that is not printable ASCII escaped.
    """
    return await request.app[QUEUES].messages(window)


@routes.add("DELETE", "/quarantine/{id}", access=_MANAGES, problems=(MessageNotFound,))
async def delete_quarantined(request: web.Request) -> Answer:
    """Delete a broker message that could not be read."""
    message_id = id_of(request.match_info["id"], MessageNotFound)
    await request.app[QUEUES].delete_message(message_id, request[CALL])
    return Answer(message="Message deleted")
