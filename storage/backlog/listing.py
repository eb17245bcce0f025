"""The list of jobs as constants of SQL.

Ids are UUIDv7: their order is that of the promises, so that no index on `created_at` is needed,
which every promise would pay for at each of its steps.
"""

from collections.abc import Mapping

from storage.backlog.records import JobState
from storage.pages import Listing

# What a row is shown as. A lease that ran out is nobody's work any more. What was retried while
# this transaction waited for it is due: by the clock, not by when the transaction began.
SHOWN = """
CASE WHEN outbox.state NOT IN ('pending', 'handed_over') THEN outbox.state
    WHEN outbox.run_until > now() THEN 'running'
    WHEN outbox.state = 'pending' AND outbox.available_at > clock_timestamp() THEN 'delayed'
    ELSE outbox.state END
"""

COLUMNS = f"""
    outbox.id, outbox.name AS job, outbox.queue, {SHOWN} AS state, outbox.urgency,
    outbox.attempts, outbox.crashes, outbox.last_error AS error, outbox.request_id,
    outbox.replay_of, outbox.progress_done, outbox.progress_total,
    CASE WHEN outbox.run_until > now() AND outbox.state IN ('pending', 'handed_over')
        THEN outbox.started_at END AS running_since,
    coalesce(outbox.finished_at, outbox.handed_at, outbox.available_at) AS at,
    outbox.created_at, outbox.updated_at
"""

_IDLE = "(outbox.run_until IS NULL OR outbox.run_until <= now())"

# Said with the columns that the partial indexes are made of.
IN_STATE: Mapping[JobState, str] = {
    JobState.PENDING: f"outbox.state = 'pending' AND outbox.available_at <= now() AND {_IDLE}",
    JobState.DELAYED: f"outbox.state = 'pending' AND outbox.available_at > now() AND {_IDLE}",
    JobState.HANDED_OVER: f"outbox.state = 'handed_over' AND {_IDLE}",
    JobState.RUNNING: "(outbox.state = 'pending' AND outbox.run_until > now()"
    " OR outbox.state = 'handed_over' AND outbox.run_until > now())",
    JobState.DONE: "outbox.state = 'done'",
    JobState.DEAD: "outbox.state = 'dead'",
    JobState.DISCARDED: "outbox.state = 'discarded'",
}

# What `at` is in a state, where an index has it.
_AT: Mapping[JobState, str] = {
    JobState.PENDING: "outbox.available_at",
    JobState.DELAYED: "outbox.available_at",
    JobState.HANDED_OVER: "outbox.handed_at",
    JobState.DONE: "outbox.finished_at",
    JobState.DEAD: "outbox.finished_at",
    JobState.DISCARDED: "outbox.finished_at",
}
_ANY_AT = "coalesce(outbox.finished_at, outbox.handed_at, outbox.available_at)"


def _listing(state: JobState | None) -> Listing:
    return Listing(
        select=f"SELECT {COLUMNS}, ({{order}})::text AS sort_value FROM {{rows}}",  # noqa: S608
        table="outbox",
        orders={"createdAt": "outbox.id", "at": _AT.get(state, _ANY_AT) if state else _ANY_AT},
        kinds={"createdAt": "uuid", "at": "timestamptz"},
        conditions={
            "queue": "outbox.queue = $?",
            "job": "outbox.name = $?",
            "requestId": "outbox.request_id = $?",
            "error": "strpos(lower(outbox.last_error), lower($?)) > 0",
        },
        always=IN_STATE[state] if state else "true",
    )


LISTS: Mapping[JobState | None, Listing] = {state: _listing(state) for state in (None, *JobState)}
