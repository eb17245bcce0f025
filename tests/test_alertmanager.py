"""Who is told of which alert, and what is held back: asked of amtool and of a real Alertmanager."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml  # type: ignore[import-untyped]  # only tests read YAML

from ops.watch.files import without_receivers
from storage.jobs import queues
from tests.factories import free_port
from tests.inhibitions import CASES, SEVERITIES, Case, Labels

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "prometheus" / "alertmanager.yml"

_RECEIVERS = {"critical": "page", "warning": "ticket", "none": "dead-mans-switch"}
_MATCHER = re.compile(r'^(\w+) *=~? *"?([^"]+)"?$')
_PATIENCE = 100

_needs_alertmanager = pytest.mark.skipif(
    shutil.which("amtool") is None and os.environ.get("WATCHING") != "required",
    reason="not installed; on Debian: apt install prometheus-alertmanager",
)


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class Alertmanager:
    """A real one with our routes and inhibitions, and receivers that do nothing."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def ready(self) -> None:
        """Wait until it answers."""
        for _ in range(100):
            try:
                async with self._client.get(f"{self._url}/-/ready") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
        raise TimeoutError(self._url)

    async def tell(self, alerts: Sequence[Labels], *, seconds: float) -> None:
        """Say that alerts fire for so long; they have ended when it is negative."""
        now = datetime.now(UTC)
        body = [
            {
                "labels": labels,
                "startsAt": (now - timedelta(minutes=1)).isoformat(),
                "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
            }
            for labels in alerts
        ]
        async with self._client.post(f"{self._url}/api/v2/alerts", json=body) as answer:
            assert answer.ok, await answer.text()

    async def held_back(self) -> dict[str, bool]:
        """Return of each alert that fires whether another one holds it back."""
        async with self._client.get(f"{self._url}/api/v2/alerts") as answer:
            alerts = await answer.json()
        return {_key(alert["labels"]): bool(alert["status"]["inhibitedBy"]) for alert in alerts}

    async def settled(self, wanted: dict[str, bool]) -> dict[str, bool]:
        """Return the same as soon as it is as wanted, or as it is when patience ends."""
        for _ in range(_PATIENCE):
            if await self.held_back() == wanted:
                break
            await asyncio.sleep(0.05)
        return await self.held_back()


def _key(labels: Labels) -> str:
    return json.dumps(labels, sort_keys=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Alertmanager]:
    """Run an Alertmanager with our configuration."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config, port = folder / "alertmanager.yml", free_port()
    config.write_text(without_receivers(CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        "prometheus-alertmanager",
        f"--config.file={config}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    )
    try:
        async with aiohttp.ClientSession() as client:
            running = Alertmanager(client, f"http://127.0.0.1:{port}")
            await running.ready()
            yield running
    finally:
        process.terminate()
        await process.wait()


def _amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["amtool", *arguments], capture_output=True, text=True, check=False, timeout=30
    )


@_needs_alertmanager
def test_amtool_is_content_with_the_configuration() -> None:
    done = _amtool("check-config", str(CONFIG))

    assert done.returncode == 0, done.stdout + done.stderr


@_needs_alertmanager
@pytest.mark.parametrize("name", sorted(SEVERITIES))
def test_every_alert_goes_to_who_shall_hear_of_it(name: str) -> None:
    for severity in SEVERITIES[name]:
        done = _amtool(
            "config",
            "routes",
            "test",
            f"--config.file={CONFIG}",
            f"alertname={name}",
            f"severity={severity}",
        )

        assert done.stdout.split() == [_RECEIVERS[severity]]


@_needs_alertmanager
def test_what_no_route_knows_is_told_all_the_same() -> None:
    done = _amtool("config", "routes", "test", f"--config.file={CONFIG}", "severity=unheard-of")

    assert done.stdout.split() == ["ticket"]


@_needs_alertmanager
@pytest.mark.parametrize("case", CASES, ids=lambda case: "_".join(case.fires.values()))
async def test_what_follows_from_an_alert_is_held_back_and_nothing_else(
    case: Case, alertmanager: Alertmanager
) -> None:
    alerts = [case.fires, *case.held, *case.told]
    wanted = {_key(labels): labels in case.held for labels in alerts}

    await alertmanager.tell(alerts, seconds=60)
    found = await alertmanager.settled(wanted)
    await alertmanager.tell(alerts, seconds=-1)

    assert found == wanted


def test_inhibitions_name_what_exists() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    known = {
        "alertname": set(SEVERITIES),
        "severity": set(_RECEIVERS),
        "process_type": {line.partition(":")[0] for line in lines},
        "queue": set(queues()),
        "job": {"ostiary"},
    }

    for rule in _load(CONFIG)["inhibit_rules"]:
        for text in (*rule["source_matchers"], *rule["target_matchers"]):
            match = _MATCHER.match(text)
            assert match, text
            for word in match[2].split("|"):
                assert any(re.fullmatch(word, name) for name in known[match[1]]), text


def test_every_inhibition_is_tried() -> None:
    rules = _load(CONFIG)["inhibit_rules"]

    for rule in rules:
        assert any(
            _fits(case.fires, rule["source_matchers"]) and _fits(target, rule["target_matchers"])
            for case in CASES
            for target in case.held
        ), rule


def _fits(labels: Labels, matchers: Sequence[str]) -> bool:
    found = [_MATCHER.match(text) for text in matchers]
    return all(match and re.fullmatch(match[2], labels.get(match[1], "")) for match in found)


def test_nobody_is_told_anything_until_addresses_are_filled_in() -> None:
    receivers = _load(CONFIG)["receivers"]

    addresses = [
        text
        for receiver in receivers
        for kind, places in receiver.items()
        if kind != "name"
        for place in places
        for text in (place.get("url"), place.get("to"))
        if text
    ]

    assert {receiver["name"] for receiver in receivers} == set(_RECEIVERS.values())
    assert addresses
    assert all("FILL-IN.invalid" in text for text in addresses)
