"""Packages that only some installations want: `make telemetry` installs them."""

import importlib.util

TRACES = "opentelemetry.exporter.otlp.proto.http"
ERROR_REPORTS = "sentry_sdk"


def installed(package: str) -> bool:
    """Say whether a package is there, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # one of the packages it lies in is missing
        return False
