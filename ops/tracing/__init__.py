"""Traces: one across a request, what it promised, the hand-over, the job and its letter.

What is being done is the current span; promises carry it on as a `traceparent` (W3C Trace Context).
What is not traced has no span at all, and without OTEL_EXPORTER_OTLP_ENDPOINT nothing is.
"""

from ops.tracing.opening import tracing
from ops.tracing.parents import Parent, read_parent
from ops.tracing.spans import (
    UNTRACED,
    Attributes,
    Kind,
    Span,
    Tracer,
    child,
    current,
    note,
    trace_parent,
)

__all__ = [
    "UNTRACED",
    "Attributes",
    "Kind",
    "Parent",
    "Span",
    "Tracer",
    "child",
    "current",
    "note",
    "read_parent",
    "trace_parent",
    "tracing",
]
