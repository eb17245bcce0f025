"""The only module that knows Sentry; imported where error reports are wanted, and nowhere else."""

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.types import Event, Hint

from ops.error_reports.budget import Budget
from ops.error_reports.scrubbing import scrubbed
from ops.errors import Problem
from ops.settings import Settings
from ops.version import VERSION

Look = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]

_LAST_SECONDS = 2.0
_GRAVE = frozenset({"warning", "error", "critical"})
_TAGS = ("request_id", "trace_id", "job", "job_id", "queue", "route", "event")
# What sends reports, traces and metrics must not report its own trouble in doing so.
_SENDERS = ("sentry_sdk", "opentelemetry", "urllib3", "requests")


def opened(settings: Settings, *, process: str) -> Look:
    """Start Sentry's library; return what looks at every event of the log."""
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        release=f"ostiary@{VERSION}",
        environment=settings.environment,
        server_name=process,
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        # Its integrations patch half of the standard library, and collect what they see.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda *_: None),
            DedupeIntegration(),
            ExcepthookIntegration(),
        ],
        auto_session_tracking=False,
        send_client_reports=False,
        shutdown_timeout=_LAST_SECONDS,
        before_send=_before_send,
    )
    return _looking(Budget())


def _looking(budget: Budget) -> Look:
    def look(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event.get("exc_info") and event.get("level") in _GRAVE:
            error = _error_of(event["exc_info"])
            ours = not str(event.get("logger", "")).startswith(_SENDERS)
            if error and ours and not isinstance(error, Problem) and budget.take():
                _report(error, event)
        return event

    return look


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    return exc_info[1] if isinstance(exc_info, tuple) else sys.exc_info()[1]


def _report(error: BaseException, event: MutableMapping[str, Any]) -> None:
    with sentry_sdk.new_scope() as scope:
        for name in _TAGS:
            if event.get(name):
                scope.set_tag(name, str(event[name]))
        if where := event.get("route") or event.get("job"):
            scope.set_transaction_name(str(where))
        scope.capture_exception(error)


def _before_send(event: Event, hint: Hint) -> Event | None:
    """Let out what is unexpected, scrubbed: this is the one way out, for crashes too."""
    raised = hint.get("exc_info")
    if raised and isinstance(raised[1], Problem):
        return None
    return scrubbed(event)  # type: ignore[return-value]  # it has fewer keys, and the same
