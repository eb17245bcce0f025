"""Metrics of jobs: from the promise to the letter, and the clock that promises."""

from ops.metrics.declared import LONG_SECONDS, By, Catalogue


class JobMetrics(Catalogue):
    """The pipeline, and what it is for."""

    def __init__(self) -> None:
        super().__init__()
        self._done()
        self._waiting()
        self._outbox()
        self._letters()
        self._clock()

    def _done(self) -> None:
        self.jobs = self._counter(
            "ostiary_jobs_total",
            "Jobs by how they ended.",
            "queue",
            "job",
            "outcome",
            by=By.WORKERS,
        )
        self.job_seconds = self._histogram(
            "ostiary_job_duration_seconds",
            "Time a job worked.",
            "queue",
            "job",
            by=By.WORKERS,
            buckets=LONG_SECONDS,
        )
        self.job_wait = self._histogram(
            "ostiary_job_wait_seconds",
            "Time from a job's due time to its start.",
            "queue",
            by=By.WORKERS,
            buckets=LONG_SECONDS,
        )
        self.job_retries = self._counter(
            "ostiary_job_retries_total",
            "Jobs put back for another try.",
            "queue",
            "job",
            by=By.WORKERS,
        )
        self.job_changes = self._counter(
            "ostiary_job_changes_total",
            "Jobs retried, discarded and replayed, queues held and released, by people.",
            "change",
            by=By.WEB_AND_WORKERS,
        )

    def _waiting(self) -> None:
        self.jobs_in_progress = self._gauge(
            "ostiary_jobs_in_progress", "Jobs being worked on now.", "queue", by=By.WORKERS
        )
        self.queue_depth = self._gauge(
            "ostiary_queue_depth",
            "Promises not yet done, by state.",
            "queue",
            "state",
            by=By.CLOCK,
        )
        self.queue_oldest = self._gauge(
            "ostiary_queue_oldest_seconds",
            "Age of the oldest promise that is due.",
            "queue",
            by=By.CLOCK,
        )

    def _outbox(self) -> None:
        self.outbox_pending = self._gauge(
            "ostiary_outbox_pending", "Promises not yet handed to the broker.", by=By.CLOCK
        )
        self.outbox_oldest = self._gauge(
            "ostiary_outbox_oldest_seconds",
            "Age of the oldest promise not yet handed over.",
            by=By.CLOCK,
        )
        self.relayed = self._counter(
            "ostiary_outbox_relayed_total", "Promises handed to the broker.", "result", by=By.RELAY
        )
        self.quarantined = self._counter(
            "ostiary_messages_quarantined_total",
            "Broker messages that could not be read.",
            "queue",
            by=By.WORKERS,
        )

    def _letters(self) -> None:
        self.letters = self._counter(
            "ostiary_letters_total",
            "Letters by what became of them.",
            "template",
            "outcome",
            by=By.WORKERS,
        )
        self.letter_seconds = self._histogram(
            "ostiary_letter_seconds",
            "Time from promise to handing over.",
            by=By.WORKERS,
            buckets=LONG_SECONDS,
        )

    def _clock(self) -> None:
        self.clock_success = self._gauge(
            "ostiary_clock_last_success_timestamp_seconds",
            "When a periodic task last succeeded; before that, when a clock first saw it.",
            "task",
            by=By.CLOCK,
        )
        self.clock_period = self._gauge(
            "ostiary_clock_period_seconds",
            "Longest pause between two slots of a task.",
            "task",
            by=By.CLOCK,
        )
        self.clock_seconds = self._gauge(
            "ostiary_clock_last_duration_seconds",
            "How long a periodic task worked when it last succeeded.",
            "task",
            by=By.CLOCK,
        )
