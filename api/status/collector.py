"""Asks the metrics listener of every process what it measures, all at once, a second at most."""

import asyncio
from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from api.status.exposition import read

# Dozens are many; what was announced beyond that is not looked at.
MAX_PROCESSES = 100

_TIMEOUT = ClientTimeout(total=1.0)
# What is read on this machine is not worth being compressed.
_HEADERS = {"Accept-Encoding": "identity", "Accept": "text/plain;version=0.0.4"}


async def collect(targets: Mapping[str, str]) -> dict[str, dict[str, float] | None]:
    """Return the series of each process by its key; None for one that does not answer."""
    asked = dict(sorted(targets.items())[:MAX_PROCESSES])
    async with ClientSession(
        timeout=_TIMEOUT, headers=_HEADERS, cookie_jar=DummyCookieJar()
    ) as session:
        found = await asyncio.gather(*(_ask(session, target) for target in asked.values()))
    return dict(zip(asked, found, strict=True))


async def _ask(session: ClientSession, target: str) -> dict[str, float] | None:
    try:
        async with session.get(f"http://{target}/metrics", allow_redirects=False) as answer:
            if not answer.ok:
                return None
            text = await answer.text()
    except (ClientError, OSError, TimeoutError, UnicodeDecodeError):
        return None
    return await asyncio.to_thread(read, text)
