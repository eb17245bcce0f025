"""Servers on 127.0.0.1 that take what leaves the house, as a collector and as Sentry do."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.factories import free_socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A span as it arrived, and which process sent it."""

    process: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    failed: bool
    facts: dict[str, Any]


@dataclass
class Collector:
    """Takes traces over OTLP/HTTP (protobuf, gzip), and Sentry's envelopes."""

    status: int = 200
    url: str = ""
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    spans: list[Seen] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    @property
    def dsn(self) -> str:
        """The address of a project, as Sentry shows it."""
        return self.url.replace("://", "://0123456789abcdef@") + "/7"

    def of_trace(self, trace: str) -> dict[str, Seen]:
        """Return the spans of a trace that are not statements, by name."""
        found = [span for span in self.spans if span.trace == trace]
        return {span.name: span for span in found if "db.system.name" not in span.facts}

    async def take_traces(self, request: web.Request) -> web.Response:
        """Take a batch of spans."""
        if self.status != 200:
            self.refused += 1
            return web.Response(status=self.status)
        body = await _body(request)
        self.raw += body
        self.headers.update({name.lower(): value for name, value in request.headers.items()})
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            process = _facts(resource.resource.attributes)["service.instance.id"]
            for scope in resource.scope_spans:
                self.spans.extend(_seen(span, process) for span in scope.spans)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    async def take_envelope(self, request: web.Request) -> web.Response:
        """Take an envelope: a line of its own, then a line about each item and the item."""
        body = await _body(request)
        self.raw += body
        lines = body.split(b"\n")[1:]
        for head, item in zip(lines[::2], lines[1::2], strict=False):
            if json.loads(head).get("type") == "event":
                self.events.append(json.loads(item))
        return web.json_response({"id": "0" * 32})


async def _body(request: web.Request) -> bytes:
    body = await request.read()
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def _seen(span: Any, process: str) -> Seen:
    return Seen(
        process=process,
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        facts=_facts(span.attributes),
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@asynccontextmanager
async def collecting(collector: Collector) -> AsyncIterator[Collector]:
    """Run it on a free port."""
    app = web.Application(client_max_size=10_000_000)
    app.router.add_post("/v1/traces", collector.take_traces)
    app.router.add_post("/api/7/envelope/", collector.take_envelope)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = free_socket()
    await web.SockSite(runner, sock).start()
    collector.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
