"""The Dramatiq broker as we need it: lanes, blocking pick-up, constant maintenance, a quarantine.

Redis is a fast lane, never the truth: a message carries a promise's id and name, everything else is
read from the outbox. Nothing is retried or delayed here; the outbox does both. Every queue has a
lane for each urgency, which is a queue of its own to Redis.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import redis
from dramatiq import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware
from redis.backoff import NoBackoff
from redis.retry import Retry

from storage.outbox import Due
from workers.consumer import BlockingConsumer, Nothing
from workers.lanes import Fetched, InFlight, bell, lane, lanes

# A worker that says nothing for so long is taken for dead, and its messages are given to others.
_HEARTBEAT_MS = 10_000
# Maintenance on every command: by default one command in a thousand looks for dead workers.
_ALWAYS = 1_000_000
# One repetition for a connection that died while it lay idle. redis-py's own ten of them, with
# pauses, would keep a thread busy for a minute after Redis is back.
_SOCKET_SECONDS = 3.0
_REPETITIONS = 1
# Bells beyond this many wake nobody who is not awake already.
_MAX_BELLS = 64
_PICK_UP = (Path(__file__).parent / "pick_up.lua").read_text()

# Takes (queue, what is wrong, the raw message); raises when it could not be kept.
Quarantined = Callable[[str, str, bytes], None]


class Broker(RedisBroker):
    """A RedisBroker whose consumers block instead of polling and survive every message."""

    def __init__(
        self,
        url: str,
        *,
        middleware: Sequence[Middleware] = (),
        quarantined: Quarantined | None = None,
    ) -> None:
        client = redis.Redis.from_url(
            url,
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=_SOCKET_SECONDS,
            retry=Retry(NoBackoff(), _REPETITIONS),
        )
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=list(middleware),
            maintenance_chance=_ALWAYS,
            heartbeat_timeout=_HEARTBEAT_MS,
        )
        self.quarantined = quarantined
        # By queue: a consumer that is made anew must know them.
        self.in_flight: defaultdict[str, InFlight] = defaultdict(InFlight)
        # Set once the process stops: what runs may end, nothing more is picked up.
        self.draining = False
        self._pick_up = client.register_script(_PICK_UP)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1_000) -> Consumer:
        """Return a consumer that blocks up to `timeout` milliseconds; delay queues stay empty."""
        if queue_name.endswith(".DQ"):
            return Nothing(timeout)
        return BlockingConsumer(self, queue_name, prefetch, timeout)

    def offer(self, promises: Sequence[Due], count: Sequence[str] = ()) -> list[int]:
        """Enqueue promises in one round trip and wake their workers; raise redis.RedisError.

        The message's id in Redis is the promise's, so offering one twice leaves one message.
        Return how many messages Redis now holds of each lane named in `count`, those that workers
        have included, or how many places its list has, if more: a second offer takes a second one.
        """
        pipeline = self.client.pipeline(transaction=False)
        now = int(time.time() * 1000)
        in_order = sorted(promises, key=_lane_of)  # stable: the order within a lane is kept
        for name, group in groupby(in_order, key=_lane_of):
            messages: dict[Any, Any] = dict(_message(each, now) for each in group)
            pipeline.hset(f"{self.namespace}:{name}.msgs", mapping=messages)
            pipeline.rpush(f"{self.namespace}:{name}", *messages)
        for queue in {promise.queue for promise in promises}:
            bells = min(sum(promise.queue == queue for promise in promises), _MAX_BELLS)
            pipeline.lpush(bell(queue), *[1] * bells)
            pipeline.ltrim(bell(queue), 0, _MAX_BELLS - 1)
        for name in count:
            pipeline.hlen(f"{self.namespace}:{name}.msgs")
            pipeline.llen(f"{self.namespace}:{name}")
        answers: list[int] = pipeline.execute()
        held = answers[len(answers) - 2 * len(count) :]
        return [max(pair) for pair in zip(held[::2], held[1::2], strict=True)]

    def missing(self, promises: Sequence[tuple[str, str]]) -> set[str]:
        """Of (lane, promise id) pairs, return the ids that Redis does not have any more."""
        pipeline = self.client.pipeline(transaction=False)
        for name, promise_id in promises:
            pipeline.hexists(f"{self.namespace}:{name}.msgs", promise_id)
        found = pipeline.execute()
        return {
            promise_id for (_, promise_id), there in zip(promises, found, strict=True) if not there
        }

    def pick_up(
        self, queue: str, room: int, *, over: Iterable[tuple[str, str]], turn: int
    ) -> list[Fetched]:
        """Acknowledge (lane, id) pairs that are over and fetch up to `room` messages: one trip.

        It is the heartbeat too, and takes back what dead workers had.
        """
        names = lanes(queue)
        acknowledged = [part for pair in over for part in pair]
        arguments: list[Any] = [_HEARTBEAT_MS, self.broker_id, room, turn, *names, *acknowledged]
        found: Any = self._pick_up(keys=[self.namespace], args=arguments)
        return [
            Fetched(names[int(number) - 1], message_id, raw)
            for number, message_id, raw in zip(*[iter(found)] * 3, strict=True)
        ]

    def give_back(self, queue: str) -> None:
        """Return to the queue what we fetched and no thread has, readable or not."""
        pipeline = self.client.pipeline(transaction=False)
        names = lanes(queue)
        for name in names:
            pipeline.smembers(self._acks(name))
        flight = self.in_flight[queue]
        ours = {key.encode() for key in (*flight.lanes, *(key for _, key in flight.over))}
        for name, held in zip(names, pipeline.execute(), strict=True):
            if left := set(held) - ours:
                self.do_requeue(name, *left)

    def drop(self, fetched: Fetched) -> None:
        """Take a message that we fetched and cannot read out of Redis."""
        self.client.hdel(f"{self.namespace}:{fetched.lane}.msgs", fetched.id)
        self.client.srem(self._acks(fetched.lane), fetched.id)

    def _acks(self, name: str) -> str:
        return f"{self.namespace}:__acks__.{self.broker_id}.{name}"


def _lane_of(promise: Due) -> str:
    return lane(promise.queue, promise.urgency)


def _message(promise: Due, now: int) -> tuple[str, bytes]:
    """Return its id and what Dramatiq's own encoder would make of it, without the detours."""
    promise_id = str(promise.id)
    return promise_id, orjson.dumps(
        {
            "queue_name": promise.queue,
            "actor_name": promise.name,
            "args": [],
            "kwargs": {"promise_id": promise_id},
            "options": {"redis_message_id": promise_id},
            "message_id": promise_id,
            "message_timestamp": now,
        }
    )
