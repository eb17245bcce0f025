"""The only module that knows OpenTelemetry; imported where traces are wanted, and nowhere else."""

import logging
from collections.abc import Sequence
from threading import Thread
from typing import Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from ops.logging import get_logger
from ops.settings import Settings
from ops.tracing.parents import Parent
from ops.tracing.spans import Attributes, Kind
from ops.version import VERSION

# So long the collector may take for one batch, repetitions included.
_SECONDS = 5.0
# So long our end waits for the last one.
_LAST_SECONDS = 2.0
_NOWHERE = Context()
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

_log = get_logger()
_library_log = logging.getLogger("opentelemetry")


class OpenTelemetry:
    """Spans of OpenTelemetry's library, which sends them from a thread of its own.

    It is told everything and decides nothing: what is not to be traced never gets here.
    """

    def __init__(self, processor: SpanProcessor, *, service: str, process: str) -> None:
        resource = Resource.create(
            {"service.name": service, "service.version": VERSION, "service.instance.id": process}
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("ostiary", VERSION)

    @classmethod
    def sending(cls, settings: Settings, *, process: str) -> Self:
        """Send to the collector of the settings."""
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces",
            headers=dict(settings.otel_exporter_otlp_headers),
            timeout=_SECONDS,
            compression=Compression.Gzip,
        )
        processor = BatchSpanProcessor(_SaidOnce(exporter))
        return cls(processor, service=settings.otel_service_name, process=process)

    def begin(  # noqa: PLR0913 - what a span is made of
        self,
        name: str,
        *,
        kind: Kind,
        attributes: Attributes,
        parent: Parent | None,
        links: tuple[Parent, ...],
        since: int | None,
    ) -> Span:
        """Return a new span."""
        return self._tracer.start_span(
            name,
            context=_context(parent) if parent else _NOWHERE,
            kind=SpanKind[kind],
            attributes=attributes,
            links=[Link(_span_context(place)) for place in links],
            start_time=since,
        )

    def place_of(self, span: Span) -> Parent:
        """Return what others need to follow a span."""
        context = span.get_span_context()
        return Parent(context.trace_id, context.span_id, remote=False)

    def fail(self, span: Span, reason: str) -> None:
        """Mark a span as failed."""
        span.set_attribute("error.type", reason)
        span.set_status(StatusCode.ERROR)

    def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        last = Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(_LAST_SECONDS)


class _SaidOnce(SpanExporter):
    """Says once that the collector is away: the library does for every batch, and every try."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            _log.warning("traces cannot be sent, and are dropped until they can")
            _library_log.setLevel(logging.CRITICAL)
        if self._away and not away:
            _log.info("traces are sent again")
            _library_log.setLevel(logging.NOTSET)
        self._away = away
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()


def _context(parent: Parent) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(parent)), _NOWHERE)


def _span_context(place: Parent) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, is_remote=place.remote, trace_flags=_SAMPLED)
