"""Endpoints of periodic tasks."""

from http import HTTPStatus

from aiohttp import web

from api.access import Needs
from api.context import CALL
from api.routing import BASE, Routes
from api.tasks.schemas import TaskRunSchema, TaskSchema
from api.tasks.service import TaskRun, TaskService, TaskView
from storage.roles import Permission
from storage.tasks import TaskNotFound

TASK_SERVICE = web.AppKey("tasks", TaskService)

routes = Routes(f"{BASE}/admin/tasks", tag="Tasks", aliases=("/api/admin/tasks",))


@routes.add("GET", "", access=Needs(Permission.JOBS_READ), gives=TaskSchema(many=True))
async def list_tasks(request: web.Request) -> list[TaskView]:
    """List periodic tasks: what each does, when it is due, when it last succeeded."""
    return await request.app[TASK_SERVICE].all()


@routes.add(
    "POST",
    "/{task}/run",
    access=Needs(Permission.JOBS_MANAGE),
    gives=TaskRunSchema(),
    status=HTTPStatus.ACCEPTED,
    problems=(TaskNotFound,),
)
async def run_task(request: web.Request) -> TaskRun:
    """Have a periodic task done now, outside its schedule.

    The answer names the job. While the task waits or runs no second job is made: that one is
    hastened and named. So a repeated request does no harm.
    """
    return await request.app[TASK_SERVICE].run(request.match_info["task"], request[CALL])
