"""python -m workers.relay: committed promises from the outbox to the broker, and back if lost.

Any number may run. A doorbell wakes it after a commit; looking every 250 ms is the net beneath.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import uvloop

from ops.errors import Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.settings import Settings
from ops.start import run_process, stop_on_signals
from storage.jobs import Urgency, queues
from storage.outbox import Due, Room, Unsettled
from storage.redis_library import redis
from workers.broker import Broker
from workers.lanes import lane
from workers.toolbox import Tools, open_tools
from workers.traces import note_hand_over

# Of each lane at once.
_BATCH = 500
# Of each lane in the broker: a million pending promises never all lie in Redis.
_MOST_HELD = 1_000
_LANES = [(queue, urgency) for queue in queues() for urgency in Urgency]
_LANE_NAMES = [lane(*each) for each in _LANES]
_POLL_SECONDS = 0.25
# While a lane is full: workers make room faster than that net is spread.
_FULL_SECONDS = 0.05
_RECALL_EVERY = 2.0
_RECALL_AFTER = 5.0
_RECALL_BATCH = 1_000
_SEAL_EVERY = 1.0
_SEAL_WAIT = 0.5

_log = get_logger()


class Relay:
    """Hands promises over and recalls those that the broker lost."""

    def __init__(self, tools: Tools, broker: Broker) -> None:
        self._tools = tools
        self._broker = broker
        # Of each lane, as of the last offer: workers may have made more room since.
        self._rooms = [0] * len(_LANES)
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Relay, recall and see to the audit trail until told to stop."""
        await asyncio.gather(
            self._relaying(stop),
            self._every(_RECALL_EVERY, stop, self.recall_once),
            self._every(_SEAL_EVERY, stop, self.promise_seal),
        )

    async def _relaying(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                handed = await self.relay_once()
            except Unavailable:
                handed = 0
            if handed < _BATCH:
                full = not self._away and min(self._rooms) < _BATCH
                await self._tools.redis.wait_for_bell(_FULL_SECONDS if full else _POLL_SECONDS)

    @staticmethod
    async def _every(
        seconds: float, stop: asyncio.Event, work: Callable[[], Awaitable[object]]
    ) -> None:
        while not stop.is_set():
            with suppress(Unavailable, redis.RedisError):
                await work()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    async def promise_seal(self) -> None:
        """Have the audit inbox sealed while it is not empty."""
        async with self._tools.database.reading() as storage:
            await storage.audit.promise_seal(wait=_SEAL_WAIT)

    async def relay_once(self) -> int:
        """Hand over one batch of due promises; return how many the broker took."""
        if min(self._rooms) < _BATCH and not await self._offer([]):
            return 0
        rooms = [Room(*each, room) for each, room in zip(_LANES, self._rooms, strict=True)]
        since = time.time_ns()
        async with self._tools.database.reading() as storage:
            due = await storage.outbox.claim_due(_BATCH, rooms)
        if not due:
            return 0
        took = await self._offer(due)
        if not took:
            async with self._tools.database.reading() as storage:
                await storage.outbox.recall([promise.id for promise in due])
        self._tools.metrics.relayed.labels("handed_over" if took else "refused").inc(len(due))
        if took:
            note_hand_over(due, self._tools.tracer, since=since)
        return len(due) if took else 0

    async def _offer(self, due: Sequence[Due]) -> bool:
        """Offer promises and learn how many more the broker shall take of each lane."""
        try:
            held = await asyncio.to_thread(self._broker.offer, due, _LANE_NAMES)
        except redis.RedisError as error:
            if not self._away:
                _log.warning("broker away", reason=str(error))
            self._away = True
            self._rooms = [0] * len(_LANES)  # so that it is asked before anything is claimed
            return False
        if self._away:
            _log.info("broker back")
        self._away = False
        self._rooms = [max(_MOST_HELD - count, 0) for count in held]
        return True

    async def recall_once(self) -> int:
        """Offer again what was handed over a while ago and is nowhere any more; return how many.

        What still lies in Redis waits for its turn; only after five minutes it is offered anyway,
        which costs a second copy of a message and no second effect.
        """
        count, last = 0, None
        while True:
            async with self._tools.database.reading() as storage:
                unsettled = await storage.outbox.unsettled(
                    older_than=_RECALL_AFTER, after=last, limit=_RECALL_BATCH
                )
            count += await self._recall(await self._lost(unsettled))
            if len(unsettled) < _RECALL_BATCH:
                return count
            last = unsettled[-1]

    async def _recall(self, lost: Sequence[Unsettled]) -> int:
        if lost:
            _log.warning("promises recalled", count=len(lost))
            async with self._tools.database.reading() as storage:
                await storage.outbox.recall([promise.id for promise in lost])
            self._tools.metrics.relayed.labels("recalled").inc(len(lost))
            self._tools.redis.ring_relay()
        return len(lost)

    async def _lost(self, unsettled: Sequence[Unsettled]) -> list[Unsettled]:
        if not unsettled:
            return []
        pairs = [(lane(promise.queue, promise.urgency), str(promise.id)) for promise in unsettled]
        missing = await asyncio.to_thread(self._broker.missing, pairs)
        return [promise for promise in unsettled if promise.old or str(promise.id) in missing]


async def relay(settings: Settings, *, name: str) -> int:
    """Relay until told to stop; return the exit code."""
    broker = Broker(settings.redis_url)
    try:
        async with open_tools(settings, name=name, metrics=Metrics(), pool_size=2) as tools:
            stop = stop_on_signals()  # not before: until then a signal may simply end us
            _log.info("relaying")
            await Relay(tools, broker).run(stop)
    finally:
        broker.close()
    return 0


def main() -> int:
    """Run the relay until told to stop."""
    return run_process("relay", _serve)


def _serve(settings: Settings, name: str) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(relay(settings, name=name))


if __name__ == "__main__":
    sys.exit(main())
