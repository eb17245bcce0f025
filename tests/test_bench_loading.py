"""How `make bench` asks, and how it sees what was not answered well."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.bench import loading
from tests.bench.asked import (
    TOKEN,
    Answered,
    Load,
    Request,
    as_json,
    from_json,
    from_wrk,
)
from tests.bench.loader import ask
from tests.factories import free_socket


@asynccontextmanager
async def _server(handler: web.RequestHandler | object) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = free_socket()
    site = web.SockSite(runner, sock)
    await site.start()
    try:
        yield int(sock.getsockname()[1])
    finally:
        await site.stop()
        await asyncio.sleep(0.02)  # who was just being let in can be sent away by then
        await runner.cleanup()


def test_wrk_s_words_are_read_from_their_last_line() -> None:
    line = '{"requests":42,"seconds":2.0,"p50":1.5,"p99":9.0,"refused":3,"broken":1}'

    answered = from_wrk(f"Running 2s test @ http://127.0.0.1\n  1 threads\n{line}\n")

    assert answered.requests == 42
    assert answered.p99 == 9.0
    assert answered.failures == 4


def test_words_of_wrk_without_that_line_are_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        from_wrk("unable to connect\n")


def test_refused_answers_fail_a_row_loudly() -> None:
    answered = Answered(requests=9, seconds=1, p50=1, p99=1, refused=2, broken=0, why="429")

    with pytest.raises(loading.LoadFailed, match=r"Somebody: 2 of 9 answers were no success.*429"):
        loading.checked("Somebody", answered)


def test_a_request_carries_its_token_and_the_length_it_has_then() -> None:
    request = Request(method="POST", path="/go", headers={"X": TOKEN}, body=f"<{TOKEN}>")

    raw = request.raw("here:1", "five!")

    assert (
        raw == b"POST /go HTTP/1.1\r\nHost: here:1\r\nX: five!\r\nContent-Length: 7\r\n\r\n<five!>"
    )


def test_a_load_is_the_same_in_another_process() -> None:
    load = Load(port=1, requests=[Request(method="GET", path="/")], chain="t", tokens=("a",))

    again = from_json(as_json(load))

    assert again.requests == load.requests
    assert (again.chain, list(again.tokens)) == ("t", ["a"])


async def test_each_connection_follows_a_chain_of_its_own() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        token = (await request.json())["token"]
        seen.append(token)
        return web.json_response({"data": {"next": f"{token}+"}})

    body = json.dumps({"token": TOKEN})
    async with _server(handler) as port:
        request = Request(method="POST", path="/", body=body)
        load = Load(port=port, requests=[request], chain="next", tokens=("a", "b"))
        answered = await ask(load, at_once=2, seconds=0.2)

    assert answered.failures == 0
    assert len(seen) == len(set(seen)) == answered.requests
    assert {token.rstrip("+") for token in seen} == {"a", "b"}


async def test_the_loader_counts_what_was_refused_and_waits_for_what_it_asked() -> None:
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        number = asked
        await asyncio.sleep(0.05)
        return web.Response(status=503 if number % 2 else 200, text="busy")

    async with _server(handler) as port:
        load = Load(port=port, requests=[Request(method="GET", path="/")])
        answered = await ask(load, at_once=3, seconds=0.12)

    assert answered.requests == asked
    assert answered.refused == (asked + 1) // 2
    assert answered.why.endswith("busy")
    assert answered.p50 >= 50


async def test_the_loader_reads_answers_in_chunks_and_connections_that_close() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        answer.force_close()
        await answer.prepare(request)
        for part in ('{"t": ', '"x"}'):
            await answer.write(part.encode())
        return answer

    async with _server(handler) as port:
        load = Load(port=port, requests=[Request(method="GET", path="/")], chain="t", tokens=("a",))
        answered = await ask(load, at_once=2, seconds=0.1)

    assert answered.requests > 2
    assert answered.failures == 0


async def test_both_loaders_ask_in_turn_and_see_what_is_refused() -> None:
    paths: set[str] = set()

    async def handler(request: web.Request) -> web.Response:
        paths.add(request.path)
        return web.Response(status=404 if request.path == "/missing" else 200)

    async with _server(handler) as port:
        requests = [Request(method="GET", path=path) for path in ("/there", "/missing")]
        load = Load(port=port, requests=requests)
        found = [
            await loading.quickly(load, at_once=2, seconds=1),
            await loading.exactly(load, at_once=2, seconds=0.2),
        ]

    assert paths == {"/there", "/missing"}
    for answered in found:
        assert answered.requests > 10
        assert answered.refused == pytest.approx(answered.requests / 2, abs=2)
        assert answered.broken == 0
