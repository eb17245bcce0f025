"""Opens what sends traces, and closes it so that the last ones leave."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from ops.extras import TRACES, installed
from ops.settings import Settings
from ops.tracing.sampling import Sampling
from ops.tracing.spans import Tracer


@contextmanager
def tracing(settings: Settings, *, process: str) -> Iterator[Tracer | None]:
    """Give this process its tracer; None unless there is a collector and the packages for it."""
    if not settings.otel_exporter_otlp_endpoint or not installed(TRACES):
        yield None
        return
    # The library takes a third of a second and megabytes: only who wants traces pays.
    opentelemetry = importlib.import_module("ops.tracing.opentelemetry")
    library = opentelemetry.OpenTelemetry.sending(settings, process=process)
    sampling = Sampling(settings.otel_traces_sampler, settings.otel_traces_sampler_arg)
    try:
        yield Tracer(library, sampling)
    finally:
        library.close()
