"""The Dramatiq broker as we need it: blocking pick-up, constant maintenance, a quarantine.

Redis is a fast lane, never the truth: a message carries a promise's id and name, everything else is
read from the outbox. Nothing is retried or delayed here; the outbox does both.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any
from uuid import UUID

import redis
from dramatiq import Consumer, Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed, DecodeError
from dramatiq.middleware import Middleware
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.logging import get_logger
from storage.jobs import CATALOGUE, queue_of
from storage.outbox import Due

# A worker that says nothing for so long is taken for dead, and its messages are given to others.
_HEARTBEAT_MS = 10_000
# Maintenance on every command: by default one command in a thousand looks for dead workers.
_ALWAYS = 1_000_000
# One repetition for a connection that died while it lay idle. redis-py's own ten of them, with
# pauses, would keep a thread busy for a minute after Redis is back.
_SOCKET_SECONDS = 3.0
_REPETITIONS = 1
_MAX_MESSAGE_BYTES = 8_192
# Bells beyond this many wake nobody who is not awake already.
_MAX_BELLS = 64
_PURGE = "ostiary-purge"

_log = get_logger()

# Takes (queue, what is wrong, the raw message); raises when it could not be kept.
Quarantined = Callable[[str, str, bytes], None]


def bell(queue: str) -> str:
    """Return the key on whose list a push wakes one waiting worker of the queue."""
    return f"ostiary:bell:{queue}"


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
        # Ids handed to threads, by queue: a consumer that is made anew must know them.
        self.working: defaultdict[str, set[str]] = defaultdict(set)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1_000) -> Consumer:
        """Return a consumer that blocks up to `timeout` milliseconds; delay queues stay empty."""
        if queue_name.endswith(".DQ"):
            return _Nothing(timeout)
        return _BlockingConsumer(self, queue_name, prefetch, timeout)

    def offer(self, promises: Sequence[Due]) -> None:
        """Enqueue promises in one round trip and wake their workers; raise redis.RedisError.

        The message's id in Redis is the promise's, so offering one twice leaves one message.
        """
        pipeline = self.client.pipeline(transaction=False)
        for promise in promises:
            self._enqueue_in(pipeline, promise)
        for queue in {promise.queue for promise in promises}:
            count = min(sum(promise.queue == queue for promise in promises), _MAX_BELLS)
            pipeline.lpush(bell(queue), *[1] * count)
            pipeline.ltrim(bell(queue), 0, _MAX_BELLS - 1)
        pipeline.execute()

    def _enqueue_in(self, pipeline: Any, promise: Due) -> None:
        message: Message[None] = Message(
            queue_name=promise.queue,
            actor_name=promise.name,
            args=(),
            kwargs={"promise_id": str(promise.id)},
            options={"redis_message_id": str(promise.id)},
            message_id=str(promise.id),
        )
        key = f"{self.namespace}:{promise.queue}"
        pipeline.hset(f"{key}.msgs", str(promise.id), message.encode())
        pipeline.rpush(key, str(promise.id))

    def missing(self, promises: Sequence[tuple[str, str]]) -> set[str]:
        """Of (queue, promise id) pairs, return the ids that Redis does not have any more."""
        pipeline = self.client.pipeline(transaction=False)
        for queue, promise_id in promises:
            pipeline.hexists(f"{self.namespace}:{queue}.msgs", promise_id)
        found = pipeline.execute()
        return {
            promise_id for (_, promise_id), there in zip(promises, found, strict=True) if not there
        }

    def give_back(self, queue: str) -> None:
        """Return to the queue what we fetched and no thread has, readable or not."""
        held: set[Any] = self.client.smembers(self._acks(queue))
        if left := {key.decode() for key in held} - self.working[queue]:
            self.do_requeue(queue, *left)

    def drop(self, queue: str, raw: bytes) -> None:
        """Take a message out of Redis that we fetched but cannot read, known by its bytes only."""
        held = list(self.client.smembers(self._acks(queue)))
        if not held:
            return
        stored = self.client.hmget(f"{self.namespace}:{queue}.msgs", held)
        gone = [key for key, data in zip(held, stored, strict=True) if data in {None, raw}]
        if gone:
            self.client.hdel(f"{self.namespace}:{queue}.msgs", *gone)
            self.client.srem(self._acks(queue), *gone)

    def _acks(self, queue: str) -> str:
        return f"{self.namespace}:__acks__.{self.broker_id}.{queue}"


class _Nothing(Consumer):
    """The consumer of a delay queue, which nobody ever fills: it costs no command."""

    def __init__(self, timeout: int) -> None:
        self._seconds = timeout / 1000

    def __next__(self) -> None:
        time.sleep(self._seconds)


class _BlockingConsumer(Consumer):
    """Fetches what is there, then sleeps on the queue's bell."""

    def __init__(self, broker: Broker, queue: str, prefetch: int, timeout: int) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._seconds = timeout / 1000
        self._fetched: list[bytes | None] = []
        self._working = broker.working[queue]
        self._freed = Event()

    def ack(self, message: MessageProxy) -> None:
        """Strike the message out in Redis."""
        self._finish(message, self._broker.do_ack)

    def nack(self, message: MessageProxy) -> None:
        """Strike the message out as well: whether the job failed is the outbox's affair."""
        self._finish(message, self._broker.do_ack)

    def _finish(self, message: MessageProxy, command: Callable[..., object]) -> None:
        try:
            command(self._queue, message.options["redis_message_id"])
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None
        finally:
            self._working.discard(message.message_id)
            self._freed.set()

    def requeue(self, messages: Any) -> None:
        """Give messages back to the queue, at once, for other workers."""
        ids = [message.options["redis_message_id"] for message in messages]
        if ids:
            self._working.difference_update(ids)
            try:
                self._broker.do_requeue(self._queue, *ids)
            except redis.RedisError as error:  # any other exception would end Dramatiq's thread
                raise ConnectionClosed(error) from None

    def close(self) -> None:
        """Give back what was fetched and not yet handed to a thread."""
        self._fetched.clear()
        try:
            self._broker.give_back(self._queue)
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None after the time-out, so that the thread can see a stop."""
        try:
            if not self._fetched:
                self._fetch()
            return self._readable(self._fetched.pop(0)) if self._fetched else None
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None

    def _fetch(self) -> None:
        self._freed.clear()
        room = max(self._prefetch - len(self._working), 0)
        self._fetched = self._broker.do_fetch(self._queue, room)  # also the heartbeat
        if self._fetched:
            return
        if not room:  # every thread is busy; the next free one is what we wait for
            self._freed.wait(self._seconds)
        elif self._broker.client.blpop([bell(self._queue)], timeout=self._seconds):
            self._fetched = self._broker.do_fetch(self._queue, room)
        else:
            # Redis may have carried out a fetch whose answer never came, when it froze for a while:
            # those messages are ours, and only we can give them back.
            self._broker.give_back(self._queue)

    def _readable(self, raw: bytes | None) -> MessageProxy | None:
        if raw is None:  # its body is gone: a repeated offer that was already worked off
            self._broker.drop(self._queue, b"")
            return None
        wrong = _what_is_wrong(self._queue, raw)
        if wrong:
            self._put_away(raw, wrong)
            return None
        message = MessageProxy(Message.decode(raw))
        self._working.add(message.message_id)
        return message

    def _put_away(self, raw: bytes, wrong: str) -> None:
        _log.error("message quarantined", queue=self._queue, reason=wrong, bytes=len(raw))
        if self._broker.quarantined:
            self._broker.quarantined(self._queue, wrong, raw)
        self._broker.drop(self._queue, raw)


def _what_is_wrong(queue: str, raw: bytes) -> str | None:
    if len(raw) > _MAX_MESSAGE_BYTES:
        return f"larger than {_MAX_MESSAGE_BYTES} bytes"
    try:
        message = Message.decode(raw)
        if message.actor_name not in CATALOGUE or queue_of(message.actor_name) != queue:
            return f"no job of this queue: {message.actor_name!r:.80}"
        # Dramatiq looks the queue up by what the message says, and its thread ends if it lies.
        made_by_relay = message == Message(
            queue_name=queue,
            actor_name=message.actor_name,
            args=(),
            kwargs={"promise_id": message.message_id},
            options={"redis_message_id": message.message_id},
            message_id=str(UUID(message.message_id)),
            message_timestamp=message.message_timestamp,
        )
        if not made_by_relay:
            return "not made by the relay"
    except (DecodeError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return f"cannot be decoded: {type(error).__name__}"
    return None
