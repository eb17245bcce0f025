"""Asks a server as fast as it answers, from a process of its own: only answering is measured.

Only the standard library, as little of it as will do. Takes a JSON object a line, answers with one.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

Ask = Callable[..., Any]


@contextmanager
def asking() -> Iterator[Ask]:
    """Give a function that has something asked, by name and facts, and returns what was found."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.asking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout

    def ask(what: str, **facts: Any) -> Any:
        print(json.dumps({"what": what, **facts}), file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())  # type: ignore[union-attr]

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


async def requests(url: str, path: str, *, authorization: str, count: int, at_once: int) -> int:
    """Send so many GETs over so many connections; return how many bytes came."""
    address = urlsplit(url)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {authorization}\r\n\r\n"
    ).encode()

    async def one(times: int) -> int:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        read = 0
        for _ in range(times):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            read += len(head) + len(await reader.readexactly(int(length)))
        writer.close()
        await writer.wait_closed()
        return read

    return sum(await asyncio.gather(*(one(count // at_once) for _ in range(at_once))))


def scrapes(url: str, *, seconds: float) -> dict[str, Any]:
    """Scrape again and again for so long; return how long each took, and the sizes of the last."""
    took, packed = [], b""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asked = urllib.request.Request(  # noqa: S310 - our own listener
            url, headers={"Accept-Encoding": "gzip"}
        )
        begun = time.perf_counter()
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - as above
            packed = answer.read()
        took.append(time.perf_counter() - begun)
        time.sleep(0.02)
    text = zlib.decompress(packed, zlib.MAX_WBITS | 16)
    return {"seconds": took, "text": len(text), "gzip": len(packed), "lines": text.count(b"\n")}


def main() -> None:
    """Do what each line asks for until there are no more."""
    for line in sys.stdin:
        facts = json.loads(line)
        what = facts.pop("what")
        found = asyncio.run(requests(**facts)) if what == "requests" else scrapes(**facts)
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
