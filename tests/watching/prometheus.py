"""Questions to a Prometheus, by its HTTP API."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import promql_parser

_PARTS = ("lhs", "rhs", "expr", "param", "vector_selector")
_PAUSE = 0.5


class Prometheus:
    """One Prometheus at an address."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def ask(self, path: str, **how: str) -> Any:
        """GET a path under /api/v1; return the data, or fail with the text of the error."""
        async with (
            self._client.post(f"{self._url}/api/v1/{path}", data=how)
            if how
            else (self._client.get(f"{self._url}/api/v1/{path}")) as answer
        ):
            told = await answer.json()
        assert told["status"] == "success", (how, told)
        return told["data"]

    async def targets(self) -> dict[str, str]:
        """Return how each target is (up, down, unknown), by job and process or address."""
        found = (await self.ask("targets"))["activeTargets"]
        return {_name(item["labels"]): item["health"] for item in found}

    async def rules(self) -> list[dict[str, Any]]:
        """Return every rule as it was last evaluated."""
        groups = (await self.ask("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = (await self.ask("alerts"))["alerts"]
        return {item["labels"]["alertname"] for item in alerts if item["state"] == "firing"}

    async def until(self, is_so: Callable[[set[str]], bool], seconds: float) -> float:
        """Wait until the names of what fires are so; return how long it took."""
        began = time.monotonic()
        while not is_so(firing := await self.firing()):
            assert time.monotonic() - began < seconds, f"not so within {seconds} s: {firing}"
            await asyncio.sleep(_PAUSE)
        return time.monotonic() - began

    async def has_data(self, expression: str, since: float) -> bool:
        """Say whether an expression gave a number at any moment since then (Unix time)."""
        how = {"query": expression, "start": str(since), "end": str(time.time()), "step": "2"}
        series = (await self.ask("query_range", **how))["result"]
        return any(not math.isnan(float(value)) for one in series for _, value in one["values"])


class Alertmanager:
    """One Alertmanager at an address."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def inhibited(self) -> set[str]:
        """Return the names of the alerts that it keeps to itself because of others, all of them."""
        async with self._client.get(f"{self._url}/api/v2/alerts") as answer:
            alerts = await answer.json()
        passed_on = {_alert(item) for item in alerts if not item["status"]["inhibitedBy"]}
        return {_alert(item) for item in alerts} - passed_on


def selectors(expression: str) -> set[str]:
    """Return what an expression selects, without the ranges."""
    return set(_walk(promql_parser.parse(expression)))


def _walk(node: Any) -> Iterable[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.prettify()
        return
    for child in (*(getattr(node, part, None) for part in _PARTS), *getattr(node, "args", ())):
        if child is not None:
            yield from _walk(child)


def _alert(item: dict[str, Any]) -> str:
    return str(item["labels"]["alertname"])


def _name(labels: dict[str, str]) -> str:
    return f"{labels['job']} {labels.get('process', labels['instance'])}"
