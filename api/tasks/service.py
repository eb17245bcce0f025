"""Rules of periodic tasks: what is open is hastened, never doubled."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.context import Call
from storage.clock_slots import TaskState
from storage.database import Database
from storage.tasks import TASKS, Task, next_slot, task_named


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as it is shown."""

    name: str
    does: str
    schedule: str
    last_slot: datetime | None
    last_success: datetime | None
    last_seconds: float | None
    next: datetime
    job_id: UUID | None
    state: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """The job that runs a task."""

    name: str
    job_id: UUID
    already_promised: bool


class TaskService:
    """Shows periodic tasks and has them done."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def all(self) -> list[TaskView]:
        """Return every task, as the table has them."""
        async with self._database.reading() as storage:
            now = await storage.clock.now()
            states = await storage.clock.states([task.name for task in TASKS])
        return [_view(task, state, now) for task, state in zip(TASKS, states, strict=True)]

    async def run(self, name: str, call: Call) -> TaskRun:
        """Promise a task now, or hasten the promise that is open; raise TaskNotFound."""
        task = task_named(name)
        async with self._database.transaction(call.actor) as storage:
            run = await storage.clock.run_now(task.job)
            await storage.audit.note("task.run", subject=run.job_id, task=task.name, made=run.made)
        return TaskRun(name=task.name, job_id=run.job_id, already_promised=not run.made)


def _view(task: Task, state: TaskState, now: datetime) -> TaskView:
    return TaskView(
        name=task.name,
        does=task.does,
        schedule=task.cron,
        last_slot=state.last_slot,
        last_success=state.last_success,
        last_seconds=state.last_seconds,
        next=next_slot(task.cron, now),
        job_id=state.job_id,
        state=state.state,
        error=state.error,
    )
