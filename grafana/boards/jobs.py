"""Jobs and letters: from the promise in the outbox to the letter that left, and the clock."""

from grafana import signals
from grafana.board import Row, board
from grafana.panels import above, graph, stack, stat
from grafana.promql import added, each, highest, house, ours, quantile, ratio, total

_JOBS = ours("ostiary_jobs_total")
_LETTERS = ours("ostiary_letters_total")
# Prometheus calls what it scrapes a job, and our label of that name by another one.
_KIND = "{{exported_job}}"

_NOW = Row(
    "Now",
    stat(
        "Oldest promise not handed over",
        "Above 60 s: the relay stands still, or Redis is away. No letter leaves.",
        expr=signals.OLDEST_PROMISE,
        unit="s",
        limits=above(warn=10, alarm=60),
        alerts=("OutboxStalled",),
    ),
    stat(
        "Promises not handed over",
        "Growing: the relay is slower than what is promised. Start another: `ops up relay=2`.",
        expr=highest(house("ostiary_outbox_pending")),
        unit="short",
        limits=above(warn=1000),
        alerts=("OutboxStalled",),
    ),
    stat(
        "Dead jobs",
        "Given up after all their tries. `python -m workers status` says why; then retry or"
        " discard them.",
        expr=signals.DEAD_JOBS,
        unit="short",
        limits=above(warn=1),
        alerts=("DeadJobsGrowing",),
    ),
    stat(
        "Jobs that fail",
        "Share of tries given up or put back. Above 5 %: the log has the errors by job id.",
        expr=ratio(
            total(ours("ostiary_jobs_total", 'outcome=~"dead|retried"')),
            total(ours("ostiary_jobs_total", 'outcome=~"done|dead|retried"')),
        ),
        unit="percentunit",
        limits=above(warn=0.05, alarm=0.1),
        alerts=("JobFailureRatioHigh",),
    ),
    stat(
        "Letters that fail",
        "Share that the mail server refused for good. Look at its answers in table letters.",
        expr=ratio(
            total(ours("ostiary_letters_total", 'outcome=~"failed|bounced"')),
            total(ours("ostiary_letters_total", 'outcome=~"failed|bounced|handed_over"')),
        ),
        unit="percentunit",
        limits=above(warn=0.05, alarm=0.1),
        alerts=("LetterFailureRatioHigh",),
    ),
    stat(
        "Tasks that missed two slots",
        "More than 0: `python -m workers.clock list` says which; `run TASK` does it now.",
        expr=(
            f"count({signals.since_success()} > 2 *"
            f" {highest(house('ostiary_clock_period_seconds'), by='task')} + 600) or vector(0)"
        ),
        unit="short",
        limits=above(alarm=1),
        alerts=("ClockTaskMissed",),
    ),
)

_WORK = Row(
    "Work",
    stack(
        "Jobs by outcome",
        "`retried` comes again later, `waiting` found its server away, `dead` was given up,"
        " `lost` was done by somebody else meanwhile.",
        lines={"{{outcome}}": signals.JOBS_BY_OUTCOME},
        unit="ops",
        alerts=("JobFailureRatioHigh",),
    ),
    graph(
        "Jobs by kind",
        "One kind far above its usual: somebody promises them in a loop; see what calls it.",
        lines={_KIND: each(_JOBS, by="exported_job")},
        unit="ops",
    ),
    graph(
        "Tries that failed, by kind",
        "Standing above 0: the reason is in the log and in `python -m workers status`.",
        lines={_KIND: each(ours("ostiary_job_retries_total"), by="exported_job")},
        unit="ops",
        alerts=("JobFailureRatioHigh",),
    ),
    graph(
        "Wait from due to start (95th percentile)",
        "Rising while nothing fails: start more processes of this queue, `ops up emails=3`.",
        lines={"{{queue}}": quantile(0.95, "ostiary_job_wait_seconds", by="queue")},
        unit="s",
        limits=above(alarm=30),
        alerts=("JobWaitHigh",),
    ),
    graph(
        "Time a job works (95th percentile)",
        "One kind slower than before: what it asks is slow, such as the mail server.",
        lines={_KIND: quantile(0.95, "ostiary_job_duration_seconds", by="exported_job")},
        unit="s",
    ),
    graph(
        "Jobs being worked on",
        "At the number of threads of a queue all the time: start more processes of it.",
        lines={"{{queue}}": added(ours("ostiary_jobs_in_progress"), by="queue")},
        unit="short",
        alerts=("JobWaitHigh",),
    ),
)

_WAITING = Row(
    "What waits",
    graph(
        "Oldest job that is due, by queue",
        "Above 5 minutes: start more workers for this queue, or release it if it is held.",
        lines={"{{queue}}": signals.OLDEST_BY_QUEUE},
        unit="s",
        limits=above(alarm=300),
        alerts=("QueueOldestOld",),
    ),
    stack(
        "Jobs not done, by queue and state",
        "`pending` waits for the relay, `handed_over` for a worker, `dead` for you.",
        lines={
            "{{queue}} {{state}}": highest(house("ostiary_queue_depth"), by="queue, state"),
        },
        unit="short",
        alerts=("QueueOldestOld", "DeadJobsGrowing"),
    ),
    graph(
        "Handed to the broker",
        "`recalled`: Redis lost messages and they are offered again. `refused`: Redis is full or"
        " away.",
        lines={"{{result}}": each(ours("ostiary_outbox_relayed_total"), by="result")},
        unit="ops",
        alerts=("OutboxStalled",),
    ),
    graph(
        "Messages that cannot be read",
        "Above 0: somebody else writes into our Redis. Give us one of our own.",
        lines={"{{queue}}": each(ours("ostiary_messages_quarantined_total"), by="queue")},
        unit="ops",
    ),
    graph(
        "Jobs and queues changed by people",
        "Retried, discarded, replayed; queues held and released. Who did it: the audit trail.",
        lines={"{{change}}": each(ours("ostiary_job_changes_total"), by="change")},
        unit="ops",
    ),
)

_LETTERS_ROW = Row(
    "Letters",
    stack(
        "Letters by outcome",
        "`failed` and `bounced`: refused for good. `withheld`: the person had enough this hour.",
        lines={"{{outcome}}": signals.LETTERS_BY_OUTCOME},
        unit="ops",
        alerts=("LetterFailureRatioHigh",),
    ),
    graph(
        "Letters by template",
        "Many more of one than usual: a flood of sign-ups or resets, see Sign-in and security.",
        lines={"{{template}}": each(_LETTERS, by="template")},
        unit="ops",
        alerts=("ResetFlood", "SignupFlood"),
    ),
    graph(
        "From promise to handing over",
        "People wait for this. Above a minute: the relay, the workers or the mail server.",
        lines={
            "50 %": quantile(0.5, "ostiary_letter_seconds"),
            "95 %": quantile(0.95, "ostiary_letter_seconds"),
        },
        unit="s",
        limits=above(alarm=60),
        alerts=("JobWaitHigh",),
    ),
)

_CLOCK = Row(
    "Periodic tasks",
    graph(
        "Since each task last succeeded",
        "Above twice its pause: `python -m workers.clock list`, then `run TASK`.",
        lines={"{{task}}": signals.since_success()},
        unit="s",
        width=12,
        alerts=("ClockTaskMissed",),
    ),
    graph(
        "How long each task works",
        "Longer every day: what it looks at grows without end; see docs/clock.md.",
        lines={"{{task}}": highest(house("ostiary_clock_last_duration_seconds"), by="task")},
        unit="s",
        width=12,
    ),
)

JOBS = board(
    "ostiary-jobs",
    "Ostiary / Jobs and letters",
    description="From the promise in the outbox to the letter that left, and the clock.",
    rows=(_NOW, _WORK, _WAITING, _LETTERS_ROW, _CLOCK),
)
