"""The catalogue of metrics: written down, bounded, small enough, and read by Prometheus."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import aiohttp
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.app import all_endpoints
from api.parts import Parts
from ops.metrics import Metrics
from ops.metrics.declared import Catalogue
from ops.metrics.exposition import Exposition
from ops.metrics.listener import packed
from ops.metrics.page import LABELS, page
from storage.audit import ADMINISTRATIVE
from storage.operations import operations
from tests.factories import PASSWORD, bearer, new_user, register
from tests.people import admin, call, id_of, person
from tests.storage.test_sql import statements

ROOT = Path(__file__).parents[1]


def scrape(metrics: Metrics) -> str:
    """Return what Prometheus would read now."""
    return Exposition(metrics.registry).text().decode()


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def samples_of(text: bytes) -> list[tuple[str, str, dict[str, str], str]]:
    """Read a scrape; a value as text, since NaN equals nothing."""
    return [
        (family.documentation, sample.name, sample.labels, str(float(sample.value)))
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == page(), "docs/metrics.md: make docs"


def test_every_metric_of_the_registry_is_declared_with_the_labels_it_has() -> None:
    metrics = Metrics()
    held = {
        names[0]: collector
        for collector, names in metrics.registry._collector_to_names.items()
        if isinstance(collector, Counter | Gauge | Histogram)
    }

    kinds = {each.name.removesuffix("_total"): each for each in metrics.declared}
    assert set(kinds) == {collector._name for collector in held.values()}
    for collector in held.values():
        declared = kinds[collector._name]
        assert declared.labels == collector._labelnames
        assert declared.kind == collector._type
        assert set(declared.labels) <= set(LABELS)


def test_a_scrape_says_what_the_library_would_say() -> None:
    registry = Catalogue().registry
    odd = Counter("odd", 'Help with "quotes", a \\ and\na line.', ["name"], registry=registry)
    for name in ('a"b', "a\\b", "a\nb", "ä", ""):
        odd.labels(name).inc(2.5)
    Gauge("nothing_yet", "None.", ["of"], registry=registry)
    gauge = Gauge("figures", "Some.", ["kind"], registry=registry)
    for figure in (0.0, -1.0, 1e-9, 1e21, float("inf"), float("-inf"), float("nan"), 1 / 3, 2**53):
        gauge.labels(str(figure)).set(figure)
    histogram = Histogram("seconds", "Time.", ["op"], registry=registry, buckets=(0.1, 1))
    histogram.labels("x").observe(0.5)

    ours = samples_of(Exposition(registry).text())
    theirs = samples_of(generate_latest(registry))

    assert ours == theirs
    assert len(ours) == 5 + 9 + 5


def test_what_alarms_wait_for_is_there_before_it_happens() -> None:
    said = {(name, *labels.values(), amount) for _, name, labels, amount in _samples_at_start()}

    assert said >= {
        ("ostiary_token_refreshes_total", "reused", "0.0"),
        ("ostiary_login_attempts_total", "password", "failure", "0.0"),
        ("ostiary_signups_total", "password", "registered", "0.0"),
    }


def _samples_at_start() -> list[tuple[str, str, dict[str, str], str]]:
    return samples_of(Exposition(Metrics().registry).text())


def test_a_second_scrape_says_what_changed() -> None:
    metrics = Metrics()
    exposition = Exposition(metrics.registry)
    metrics.problems.labels("CONFLICT").inc()
    before = exposition.text().decode()

    metrics.problems.labels("CONFLICT").inc()
    metrics.problems.labels("NOT_FOUND").inc()

    after = exposition.text().decode()
    assert 'ostiary_problems_total{code="CONFLICT"} 1\n' in before
    assert 'ostiary_problems_total{code="CONFLICT"} 2\n' in after
    assert 'ostiary_problems_total{code="NOT_FOUND"} 1\n' in after


async def test_a_process_asked_for_every_route_is_scraped_in_less_than_100_kb(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    for endpoint in all_endpoints(parts.settings):
        path = re.sub("{[A-Za-z_]+}", str(uuid4()), endpoint.path)
        async with api.request(endpoint.method, path, json={}) as answer:
            await answer.read()

    text = scrape(parts.metrics)
    told = {family.name: family for family in text_string_to_metric_families(text)}
    routes = {sample.labels["http_route"] for sample in told["http_server_requests"].samples}
    assert routes >= {endpoint.path for endpoint in all_endpoints(parts.settings)}
    assert len(packed(text.encode())) < 100_000  # as Prometheus asks for it
    assert len(text) < 400_000


def checked(text: str) -> tuple[int, str, str]:
    """Have promtool look at a scrape where it is installed; return its code and what it says."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return 0, "", ""
    command = [promtool, "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


async def test_what_prometheus_reads_after_real_requests_passes_promtool(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    await register(api)

    assert await asyncio.to_thread(checked, scrape(parts.metrics)) == (0, "", "")

    assert "ostiary_signups_total" in scrape(parts.metrics)


def test_every_statement_has_a_name_of_its_own() -> None:
    wanted = set(statements().values())

    names = operations()

    named = {text: name for text, name in names.items() if not name.startswith("transaction.")}
    assert wanted <= set(named)
    assert len(set(named.values())) == len(named)
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) for name in named.values())
    assert {"users.by_id", "outbox.claim_due", "audit.note", "ledger.search.by_id"} <= {
        *named.values()
    }


async def test_statements_are_measured_by_their_names(
    api: aiohttp.ClientSession, parts: Parts, owner: object
) -> None:
    def count(operation: str) -> float:
        name = "db_client_operation_duration_seconds_count"
        return value(parts.metrics, name, operation=operation)

    boss = await admin(api, owner)
    names = ("users.page", "transaction.begin", "transaction.commit", "audit.note_all", "other")
    before = {name: count(name) for name in names}

    status, _ = await call(api, boss, "GET", "/users")

    assert status == 200
    after = {name: count(name) - before[name] for name in names}
    assert after["users.page"] == 1
    assert after["audit.note_all"] == 1
    assert after["transaction.begin"] == after["transaction.commit"]
    assert after["other"] == 0


async def test_what_is_noted_is_counted_when_it_is_committed(
    api: aiohttp.ClientSession, parts: Parts, owner: object
) -> None:
    def noted(action: str) -> float:
        return value(parts.metrics, "ostiary_audit_events_total", action=action)

    before = {name: noted(name) for name in ("user.registered", "user.registration_refused")}
    who = await register(api)
    email = who["user"]["email"]

    async with api.post(
        "/api/v1/auth/register",
        json=new_user(email=email),
    ) as answer:
        assert answer.status == 409

    assert noted("user.registered") == before["user.registered"] + 1
    assert noted("user.registration_refused") == before["user.registration_refused"] + 1


async def test_only_what_takes_an_administrators_rights_is_an_administrative_action(
    api: aiohttp.ClientSession, parts: Parts, owner: object
) -> None:
    def administered(action: str) -> float:
        return value(parts.metrics, "ostiary_admin_actions_total", action=action)

    boss, who, leaver = await admin(api, owner), await person(api, owner), await person(api, owner)
    before = {name: administered(name) for name in ("user.suspended", "user.deleted")}

    status, _ = await call(api, boss, "POST", f"/users/{id_of(who)}/suspend", {})
    assert status == 200
    headers = bearer(leaver)
    async with api.delete(
        "/api/v1/auth/me", headers=headers, json={"password": PASSWORD}
    ) as answer:
        assert answer.status in {200, 204}, await answer.text()

    assert administered("user.suspended") == before["user.suspended"] + 1
    assert administered("user.deleted") == before["user.deleted"]


def test_administrative_actions_are_actions_of_the_audit_trail() -> None:
    explained = set(
        re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "docs" / "audit.md").read_text(), re.MULTILINE)
    )

    assert explained >= ADMINISTRATIVE
