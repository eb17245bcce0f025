"""How a worker picks messages up: it sleeps on a bell, and no message can stop it."""

import time
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis
from dramatiq import Consumer, Message, MessageProxy
from dramatiq.errors import ConnectionClosed, DecodeError

from ops.logging import get_logger
from storage.jobs import queue_of
from workers.lanes import Fetched, bell

if TYPE_CHECKING:  # the broker makes its consumers
    from workers.broker import Broker

_MAX_MESSAGE_BYTES = 8_192
# Between two looks for messages that an answer which got lost left with us.
_LOOK_SECONDS = 2.0
# While something runs, its end is acknowledged so soon: a copy that is offered again meanwhile
# would be struck out with it.
_ACKNOWLEDGE_SECONDS = 0.05

_log = get_logger()


class Nothing(Consumer):
    """The consumer of a delay queue, which nobody ever fills: it costs no command."""

    def __init__(self, timeout: int) -> None:
        self._seconds = timeout / 1000

    def __next__(self) -> None:
        time.sleep(self._seconds)


class BlockingConsumer(Consumer):
    """Fetches what is there, the urgent first, then sleeps on the queue's bell.

    Dramatiq acknowledges a message when its actor returns, and ours only start a job; a message is
    struck out when the job is over (`InFlight.end`).
    """

    def __init__(self, broker: "Broker", queue: str, prefetch: int, timeout: int) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._seconds = timeout / 1000
        self._fetched: deque[Fetched] = deque()
        self._flight = broker.in_flight[queue]
        self._turn = 0
        self._looked = time.monotonic()

    def ack(self, message: MessageProxy) -> None:
        """Do nothing: the job has only begun."""

    def nack(self, message: MessageProxy) -> None:
        """Strike out what could not even begin: recall brings its promise again."""
        self._flight.end(message.message_id)

    def requeue(self, messages: Any) -> None:
        """Give messages back to their lanes, at once, for other workers."""
        try:
            for message in messages:
                if name := self._flight.leave(message.message_id):
                    self._broker.do_requeue(name, message.message_id)
        except redis.RedisError as error:  # any other exception would end Dramatiq's thread
            raise ConnectionClosed(error) from None

    def close(self) -> None:
        """Acknowledge what is over, give back what was fetched and not yet begun."""
        self._fetched.clear()
        try:
            self._pick_up(0)
            self._broker.give_back(self._queue)
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None

    def __next__(self) -> MessageProxy | None:
        """Return a message, or None after the time-out, so that the thread can see a stop."""
        try:
            if not self._fetched:
                self._fetch()
            return self._readable(self._fetched.popleft()) if self._fetched else None
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None

    def _fetch(self) -> None:
        self._look_for_lost_answers()
        self._flight.freed.clear()
        room = 0 if self._broker.draining else max(self._prefetch - len(self._flight.lanes), 0)
        self._pick_up(room)  # also the heartbeat
        if self._fetched:
            return
        if not room:  # as many jobs run as may; the next that ends is what we wait for
            self._flight.freed.wait(self._seconds)
        elif self._broker.client.blpop([bell(self._queue)], timeout=self._patience()):
            self._pick_up(room)

    def _pick_up(self, room: int) -> None:
        over = self._flight.over.copy()
        fetched = self._broker.pick_up(self._queue, room, over=over, turn=self._turn)
        del self._flight.over[: len(over)]  # not before Redis has them; more may have come
        self._fetched.extend(fetched)
        self._turn += len(fetched)

    def _patience(self) -> float:
        return _ACKNOWLEDGE_SECONDS if self._flight.lanes or self._flight.over else self._seconds

    def _look_for_lost_answers(self) -> None:
        """Redis may have carried out a fetch whose answer never came, when it froze for a while.

        Those messages are ours, and only we can give them back.
        """
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._broker.give_back(self._queue)

    def _readable(self, fetched: Fetched) -> MessageProxy | None:
        wrong = _what_is_wrong(self._queue, fetched, self._broker.actors)
        if wrong:
            self._put_away(fetched, wrong)
            return None
        message = MessageProxy(Message.decode(fetched.raw))
        if message.message_id in self._flight.lanes:  # a second copy of what runs here
            return None
        self._flight.begin(message.message_id, fetched.lane)
        return message

    def _put_away(self, fetched: Fetched, wrong: str) -> None:
        _log.error("message quarantined", queue=self._queue, reason=wrong, bytes=len(fetched.raw))
        if self._broker.quarantined:
            self._broker.quarantined(self._queue, wrong, fetched.raw)
        self._broker.drop(fetched)


def _what_is_wrong(queue: str, fetched: Fetched, actors: Collection[str]) -> str | None:
    if len(fetched.raw) > _MAX_MESSAGE_BYTES:
        return f"larger than {_MAX_MESSAGE_BYTES} bytes"
    try:
        message = Message.decode(fetched.raw)
        if message.actor_name not in actors or queue_of(message.actor_name) != queue:
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
        if not made_by_relay or fetched.id != message.message_id.encode():
            return "not made by the relay"
    except (DecodeError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return f"cannot be decoded: {type(error).__name__}"
    return None
