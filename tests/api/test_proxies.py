"""A proxy that TRUSTED_PROXIES does not name is noticed, told, and remembered until mended."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from api.proxies import requests_needed
from ops.stack import Stack
from tests.conftest import Serve
from tests.factories import OPS_TOKEN, free_port
from tests.ops.stacks import open_room

ROOT = Path(__file__).parents[2]
PEER = "127.0.0.1"
# More than any suspicion takes.
MANY = 30


@pytest.fixture(autouse=True)
async def _nothing_remembered(clean: None, parts: Parts) -> AsyncIterator[None]:
    """Leave no suspicion to other tests."""
    yield
    await parts.redis.forget_proxy()


async def ask(
    api: aiohttp.ClientSession,
    times: int = MANY,
    *,
    path: str = "/.well-known/jwks.json",
    headers: Callable[[int], dict[str, str]],
) -> None:
    """Ask so often, each time with the headers made for its number."""
    for number in range(times):
        async with api.get(path, headers=headers(number)) as answer:
            await answer.read()


def forwarded(number: int) -> dict[str, str]:
    """Return what a proxy adds for the client of that number."""
    return {"X-Forwarded-For": f"203.0.113.{number}"}


def direct(_: int) -> dict[str, str]:
    """Return what nobody added."""
    return {}


async def remembered(parts: Parts) -> str | None:
    """Return the suspicion that is in Redis once every write that is under way has ended."""
    await asyncio.sleep(0.2)
    return await parts.redis.suspected_proxy()


@pytest.mark.parametrize(
    "headers",
    [
        forwarded,
        lambda number: {"X-Forwarded-For": f"203.0.113.{number}:{5000 + number}, 10.0.0.3"},
        lambda number: {"X-Real-IP": f"203.0.113.{number}"},
        lambda number: {"Forwarded": f"for=203.0.113.{number}"},
        lambda number: {"Via": "1.1 proxy"} | (forwarded(number) if number % 2 else {}),
    ],
)
async def test_whoever_forwards_for_several_clients_is_suspected(
    serve: Serve, parts: Parts, headers: Callable[[int], dict[str, str]]
) -> None:
    api = await serve()

    await ask(api, headers=headers)

    assert await remembered(parts) == PEER


@pytest.mark.parametrize(
    "headers",
    [
        direct,
        lambda _: forwarded(7),
        lambda number: {"X-Forwarded-For": f"203.0.113.7:{5000 + number}"},
        lambda number: forwarded(number % 2),
        lambda _: {"Via": "1.1 proxy"},
        lambda number: {} if number % 15 == 0 else forwarded(number),
    ],
)
async def test_neither_direct_requests_nor_one_forwarded_client_are_suspect(
    serve: Serve, parts: Parts, headers: Callable[[int], dict[str, str]]
) -> None:
    api = await serve(rate_limit_anonymous="off")

    await ask(api, path="/api/v1/auth/me", headers=headers)

    assert await remembered(parts) is None


async def test_a_few_forged_requests_are_not_enough(serve: Serve, parts: Parts) -> None:
    api = await serve()

    await ask(api, 19, headers=forwarded)

    assert await remembered(parts) is None


async def test_probes_that_pass_the_proxy_by_do_not_clear_it(serve: Serve, parts: Parts) -> None:
    api = await serve()

    for _ in range(10):
        await ask(api, 3, headers=forwarded)
        await ask(api, 1, path="/health", headers=direct)

    assert await remembered(parts) == PEER


async def test_two_peers_in_turn_are_not_one_proxy(serve: Serve, parts: Parts) -> None:
    api = await serve()
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))

    async with aiohttp.ClientSession(api._base_url, connector=elsewhere) as other:
        for _ in range(3):
            await ask(api, 15, headers=forwarded)
            await ask(other, 15, headers=forwarded)

    assert await remembered(parts) is None


def test_a_stranger_of_the_internet_needs_more_requests_than_a_neighbour() -> None:
    neighbours = {"127.0.0.1", "10.0.0.5", "192.168.1.1", "100.64.0.1", "fd00::5", "fe80::1"}
    strangers = {"8.8.8.8", "2606:4700::1111"}

    assert {requests_needed(ip_address(text)) for text in neighbours} == {20}
    assert {requests_needed(ip_address(text)) for text in strangers} == {500}


async def test_a_trusted_proxy_is_never_suspected(serve: Serve, parts: Parts) -> None:
    api = await serve(trusted_proxies=PEER)

    await ask(api, headers=forwarded)

    assert await remembered(parts) is None


async def test_the_suspicion_lasts_a_week_and_is_written_once_a_minute(
    serve: Serve, parts: Parts
) -> None:
    api = await serve()
    await ask(api, headers=forwarded)
    assert await remembered(parts) == PEER
    lasting = await parts.redis._client.ttl("ostiary:proxy:suspected")
    await parts.redis.forget_proxy()

    await ask(api, headers=forwarded)

    assert 7 * 86_400 - 60 < lasting <= 7 * 86_400
    assert await remembered(parts) is None


async def test_a_frozen_redis_slows_no_request_down(serve: Serve) -> None:
    slowest = []
    with open_room() as folder:
        stack = Stack(folder / "home", postgres=False)
        url = str(stack.start().redis_url)
        servers = [await serve(redis_url=url) for _ in range(3)]
        os.kill(stack.pids["redis"], signal.SIGSTOP)
        for api in servers:
            took = []
            for number in range(MANY):
                started = time.perf_counter()
                await ask(api, 1, headers=lambda _, number=number: forwarded(number))  # type: ignore[misc]
                took.append(time.perf_counter() - started)
            slowest.append(max(took))
        os.kill(stack.pids["redis"], signal.SIGCONT)
        stack.stop()

    assert min(slowest) < 0.1  # a busy machine slows one down, waiting for Redis all


@asynccontextmanager
async def web(environ: dict[str, str], **changes: str) -> AsyncIterator[Any]:
    """Run `python -m api` with one child; give a client, and a list of its warnings."""
    port = free_port()
    settings = {"PORT": str(port), "WEB_PROCESSES": "1"} | changes
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api"),
        cwd=ROOT,
        env=os.environ | environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    lines: list[dict[str, Any]] = []
    answering = asyncio.Event()

    async def read(output: asyncio.StreamReader) -> None:
        async for line in output:
            told = json.loads(line)
            if told["level"] == "warning" and "cure" in told:
                lines.append(told)
            if told["event"] == "answering":
                answering.set()

    reading = asyncio.create_task(read(process.stdout))
    async with asyncio.timeout(30), aiohttp.ClientSession(f"http://{PEER}:{port}") as client:
        await answering.wait()
        yield client, lines
    process.terminate()
    await process.wait()
    await reading


async def gauge(api: aiohttp.ClientSession) -> str:
    """Return the gauge as Prometheus would find and scrape it."""
    headers = {"Authorization": f"Bearer {OPS_TOKEN}"}
    async with api.get("/ops/prometheus/targets", headers=headers) as answer:
        groups = await answer.json()
    (target,) = {target for group in groups for target in group["targets"]}
    async with aiohttp.ClientSession() as scraper, scraper.get(f"http://{target}/metrics") as found:
        text = await found.text()
    (line,) = [line for line in text.splitlines() if line.startswith("ostiary_untrusted_proxy")]
    return line


async def checked(environ: dict[str, str]) -> dict[str, Any]:
    """Return what `python -m storage check` says of the proxy."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "storage", "check", "--json"),
        cwd=ROOT,
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    (found,) = [item for item in json.loads(said) if item["name"] == "proxy"]
    return dict(found)


async def test_it_is_told_at_once_at_the_next_start_and_by_doctor_until_it_is_mended(
    environ: dict[str, str], parts: Parts
) -> None:
    mended = {"TRUSTED_PROXIES": f"10.0.0.0/8,{PEER}"}

    async with web(environ) as (api, warnings):
        assert (await gauge(api)).endswith(" 0")
        await ask(api, 3 * MANY, headers=forwarded)
        assert (await gauge(api)).endswith(" 1")
    sick = await checked(environ | {"TRUSTED_PROXIES": "10.0.0.0/8"})
    async with web(environ) as (_, again):
        pass
    async with web(environ, **mended) as (_, silent):
        pass

    (warning,) = warnings
    assert warning["category"] == "application"
    assert "looks like a proxy" in warning["event"]
    assert f"set TRUSTED_PROXIES={PEER} " in warning["cure"]
    assert [told["cure"] for told in again] == [warning["cure"]]
    assert not sick["ok"]
    assert f"TRUSTED_PROXIES=10.0.0.0/8,{PEER} " in sick["cure"]
    assert silent == []
    assert await parts.redis.suspected_proxy() is None
    assert (await checked(environ))["ok"]
