"""Unexpected errors, told to Sentry where SENTRY_DSN is set; else nothing is even imported.

Told is what a line of the log carries as an exception, and what ends a process; never a Problem,
which a caller was told, and never what a mail server said.
"""

import importlib

from ops.extras import ERROR_REPORTS, installed
from ops.logging import show_events_to
from ops.settings import Settings


def report_errors(settings: Settings, *, process: str) -> None:
    """Have the unexpected errors of this process told; its logs must be set up before."""
    if settings.sentry_dsn and installed(ERROR_REPORTS):
        sentry = importlib.import_module("ops.error_reports.sentry")
        show_events_to(sentry.opened(settings, process=process))
