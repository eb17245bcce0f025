"""Traces: what a traceparent says, which requests are traced, and what happens without traces."""

import re
import subprocess
import sys
import time

import pytest

from ops.settings import TraceSampler
from ops.tracing import Kind, Parent, Tracer, read_parent, tracing
from ops.tracing.sampling import Sampling
from tests.conftest import MakeSettings
from tests.factories import free_port
from tests.ops.stacks import ROOT

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (CALLER, Parent(int(TRACE, 16), int(SPAN, 16))),
        (UNSAMPLED, Parent(int(TRACE, 16), int(SPAN, 16), sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", Parent(int(TRACE, 16), int(SPAN, 16))),
        (
            f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
            Parent(int(TRACE, 16), int(SPAN, 16)),
        ),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f" {CALLER}", None),
        (f"{CALLER}\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_traceparent_is_read_as_the_standard_says(given: str, read: Parent | None) -> None:
    assert read_parent(given) == read


def test_what_is_written_is_read_again() -> None:
    assert [read_parent(text).header for text in (CALLER, UNSAMPLED)] == [CALLER, UNSAMPLED]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("how", "share", "told"),
    [
        (TraceSampler.ALWAYS_ON, 0, UNSAMPLED),
        (TraceSampler.RATIO, 1, UNSAMPLED),
        (TraceSampler.PARENT_ON, 0, None),
        (TraceSampler.PARENT_OFF, 1, CALLER),
        (TraceSampler.PARENT_RATIO, 0, CALLER),
        (TraceSampler.PARENT_RATIO, 1, None),
    ],
)
def test_the_operator_says_what_is_traced_and_whether_callers_do(
    how: TraceSampler, share: float, told: str | None
) -> None:
    assert Sampling(how, share).takes(read_parent(told))


@pytest.mark.parametrize(
    ("how", "share", "told"),
    [
        (TraceSampler.ALWAYS_OFF, 1, CALLER),
        (TraceSampler.RATIO, 0, CALLER),
        (TraceSampler.PARENT_ON, 1, UNSAMPLED),
        (TraceSampler.PARENT_OFF, 1, None),
        (TraceSampler.PARENT_RATIO, 1, UNSAMPLED),
        (TraceSampler.PARENT_RATIO, 0, None),
    ],
)
def test_what_is_not_traced_is_said_alike(
    how: TraceSampler, share: float, told: str | None
) -> None:
    assert not Sampling(how, share).takes(read_parent(told))


def test_a_share_of_requests_is_traced_whatever_trace_they_name() -> None:
    sampling = Sampling(TraceSampler.RATIO, 0.25)

    taken = sum(sampling.takes(read_parent(CALLER)) for _ in range(4_000))

    assert 800 < taken < 1_200


def test_a_collector_that_is_away_is_not_waited_for(make_settings: MakeSettings) -> None:
    settings = make_settings(otel_exporter_otlp_endpoint=f"http://127.0.0.1:{free_port()}")
    with tracing(settings, process="test") as tracer:
        assert isinstance(tracer, Tracer)
        span = tracer.begin("lost", kind=Kind.SERVER, attributes={})
        assert span
        span.end()
        begun = time.monotonic()

    assert time.monotonic() - begun < 3


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", text, re.MULTILINE))


def test_what_make_telemetry_installs_is_what_these_tests_ran_with() -> None:
    pins = _pins("requirements-telemetry.lock")

    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "sentry-sdk"} <= set(
        pins
    )
    assert pins.items() <= _pins("requirements-dev.lock").items()


_NOT_INSTALLED = """
import sys
sys.modules["sentry_sdk"] = sys.modules["opentelemetry.exporter.otlp.proto.http"] = None
from ops.settings import load
from ops.tracing import tracing
from ops.error_reports import report_errors
settings = load({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
                 "SENTRY_DSN": "https://key@sentry.example.com/1"}, strict=False)
print(*settings.warnings, sep="\\n")
report_errors(settings, process="test")
with tracing(settings, process="test") as tracer:
    assert tracer is None
"""
_NOT_WANTED = """
import sys
import api.serving.child, workers.relay, workers.serve, workers.clock, api.app
from ops.settings import load
from ops.tracing import tracing
from ops.error_reports import report_errors
settings = load({}, strict=False)
report_errors(settings, process="test")
with tracing(settings, process="test") as tracer:
    assert tracer is None
theirs = ("sentry_sdk", "opentelemetry", "requests")
print([name for name in sys.modules if name.startswith(theirs)])
"""


def _told(program: str) -> str:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_settings_without_the_packages_are_told_with_the_cure_and_nothing_else_happens() -> None:
    said = _told(_NOT_INSTALLED)

    assert [line.split()[0] for line in said.splitlines()] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT", "SENTRY_DSN",
    ]  # fmt: skip
    assert said.count("`make telemetry`") == 2


def test_packages_that_nobody_asked_for_are_not_even_imported() -> None:
    assert _told(_NOT_WANTED).strip() == "[]"
