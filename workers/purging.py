"""Deletes what is over, however much: batch after batch, each a short transaction of its own."""

from collections.abc import Awaitable, Callable, Mapping

from storage.outbox import Promise
from storage.repositories import Storage
from workers.toolbox import Tools

Purge = Callable[[Storage], Awaitable[int]]


async def purge_all(tools: Tools, promise: Promise, purges: Mapping[str, Purge]) -> dict[str, int]:
    """Call each purge until it finds nothing; return how many rows each deleted.

    The promise tells meanwhile how many went. Between batches the connection is given back, and
    an interruption costs the batch at most: the next try goes on.
    """
    deleted = dict.fromkeys(purges, 0)
    for what, purge in purges.items():
        while True:
            async with tools.database.reading() as storage:
                batch = await purge(storage)
                if not batch:
                    break
                deleted[what] += batch
                await storage.outbox.progress(promise, done=sum(deleted.values()))
    return deleted
