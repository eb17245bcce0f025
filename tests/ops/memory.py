"""Traces kept in memory: the tracer of a process under test, and what it has seen."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ops.settings import TraceSampler
from ops.tracing import Tracer
from ops.tracing.opentelemetry import OpenTelemetry
from ops.tracing.sampling import Sampling


class Memory:
    """A tracer that traces everything unless told otherwise, and its spans."""

    def __init__(self, how: TraceSampler = TraceSampler.ALWAYS_ON, share: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        library = OpenTelemetry(SimpleSpanProcessor(self._kept), service="test", process="test")
        self.tracer = Tracer(library, Sampling(how, share))

    @property
    def all(self) -> list[ReadableSpan]:
        """Every span that ended, in that order."""
        return list(self._kept.get_finished_spans())

    @property
    def steps(self) -> list[ReadableSpan]:
        """The same without statements."""
        return [span for span in self.all if "db.system.name" not in facts(span)]

    @property
    def names(self) -> list[str]:
        """The names of the steps."""
        return [span.name for span in self.steps]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (found,) = [span for span in self.all if span.name == name]
        return found

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()


def facts(span: ReadableSpan) -> dict[str, Any]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


def header(span: ReadableSpan) -> str:
    """Return the traceparent of what follows a span."""
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


def parent(span: ReadableSpan) -> str:
    """Return the traceparent that a span follows, empty for the first of a trace."""
    if span.parent is None:
        return ""
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01"
