"""The desk: a job retried, discarded, replayed, a queue held, by an administrator or a command.

What each state allows is decided here and nowhere else; every deed is in the audit trail.
"""

from collections.abc import Mapping
from uuid import UUID

from storage.backlog.records import JobDetails, JobState, WrongState
from storage.repositories import Storage

_WAIT = "Wait, or discard it."
_NOT_RETRIED: Mapping[str, str] = {
    JobState.PENDING: f"The job is pending already and goes next. {_WAIT}",
    JobState.HANDED_OVER: f"The job is handed over already; a worker takes it next. {_WAIT}",
    JobState.RUNNING: "The job is running. Wait until it ends.",
    JobState.DONE: "The job is done. Replay it to have its effect once more.",
}
_NOT_DISCARDED: Mapping[str, str] = {
    JobState.RUNNING: "The job is running and cannot be called back. Hold its queue, wait until"
    " the job ends, and discard it if it is still there.",
    JobState.DONE: "The job is done: there is nothing to discard.",
    JobState.DISCARDED: "The job is discarded already. Retry it to have it done after all.",
}
_NOT_REPLAYED: dict[str, str] = {
    JobState.PENDING: f"The job is pending: it has not been done yet. {_WAIT}",
    JobState.DELAYED: "The job is delayed: it has not been done yet. Retry it to have it now.",
    JobState.HANDED_OVER: f"The job is handed over: it has not been done yet. {_WAIT}",
    JobState.RUNNING: "The job is running. Wait until it ends.",
}
_DONE_ONCE = (
    "The job is done. Replaying makes its effect happen again, such as a second letter; say"
    " `evenIfDone` if that is meant."
)


async def retry(storage: Storage, job_id: UUID) -> JobDetails:
    """Make a dead, discarded or delayed job due now; return it.

    Raises JobNotFound, WrongState, PromisedAlready.
    """
    job = await _in_state(storage, job_id, _NOT_RETRIED)
    await storage.backlog.retry([job_id])
    await storage.audit.note("job.retried", subject=job_id, job=job.job, state=job.state)
    return await storage.backlog.by_id(job_id)


async def discard(storage: Storage, job_id: UUID) -> JobDetails:
    """Give up a job that nobody works on; return it. Raises JobNotFound, WrongState."""
    job = await _in_state(storage, job_id, _NOT_DISCARDED)
    await storage.backlog.discard([job_id])
    await storage.audit.note("job.discarded", subject=job_id, job=job.job, state=job.state)
    return await storage.backlog.by_id(job_id)


async def replay(storage: Storage, job_id: UUID) -> JobDetails:
    """Promise the work of a dead or discarded job as a new one; return the new one.

    Raises JobNotFound, WrongState, PromisedAlready.
    """
    return await _replayed(storage, job_id, _NOT_REPLAYED | {JobState.DONE: _DONE_ONCE})


async def replay_again(storage: Storage, job_id: UUID) -> JobDetails:
    """Do the same also for a job that is done, whose effect then happens a second time."""
    return await _replayed(storage, job_id, _NOT_REPLAYED)


async def hold(storage: Storage, queue: str, reason: str) -> bool:
    """Keep everything of a queue back; False when it is held already."""
    if not await storage.pauses.hold(queue, reason):
        return False
    await storage.audit.note("queue.held", queue=queue, reason=reason)
    return True


async def release(storage: Storage, queue: str, reason: str) -> bool:
    """Let a held queue run again; False when it is not held."""
    if not await storage.pauses.release(queue):
        return False
    await storage.audit.note("queue.released", queue=queue, reason=reason)
    return True


async def _replayed(storage: Storage, job_id: UUID, refused: Mapping[str, str]) -> JobDetails:
    job = await _in_state(storage, job_id, refused)
    made = await storage.backlog.replay(job_id)
    await storage.audit.note(
        "job.replayed", subject=job_id, job=job.job, state=job.state, replay=str(made)
    )
    return await storage.backlog.by_id(made)


async def _in_state(storage: Storage, job_id: UUID, refused: Mapping[str, str]) -> JobDetails:
    job = await storage.backlog.lock(job_id)
    if job.state in refused:
        raise WrongState(refused[job.state])
    return job
