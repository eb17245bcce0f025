"""SigningRing: what a web process knows of the keys, and when it looks for more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.auth.signing import SigningRing
from api.auth.tokens import Tokens
from api.problems import InvalidToken
from ops.errors import Unavailable
from ops.ids import new_id
from ops.metrics import Metrics
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.key_rotation import Reason, replace_all, retire, rotate
from storage.sessions import Session
from tests.api.forgery import b64, dumped
from tests.conftest import MakeSettings
from tests.own_database import OwnDatabase, opened, own_database
from tests.workers.processes import eventually

EDDSA = TokenAlgorithm.EDDSA
HOUR = 3_600

NewRing = Callable[..., Awaitable[SigningRing]]


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_ring") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: MakeSettings) -> AsyncIterator[Database]:
    """Open it, without any key."""
    async with opened(room, make_settings) as database:
        yield database


@pytest.fixture
async def new_ring(
    database: Database, room: OwnDatabase, make_settings: MakeSettings
) -> AsyncIterator[NewRing]:
    """Start rings, each over a pool of its own, as web processes have them."""
    async with AsyncExitStack() as stack:

        async def start(
            algorithm: TokenAlgorithm = EDDSA, *, metrics: Metrics | None = None
        ) -> SigningRing:
            settings = make_settings(**room.urls)
            pool = await Database.open(
                settings.database_url,
                keys=settings.keyring,
                metrics=metrics or Metrics(),
                name="ring",
                pool_size=2,
            )
            stack.push_async_callback(pool.close)
            ring = SigningRing(pool, algorithm=algorithm)
            await ring.load()
            return ring

        yield start


@pytest.fixture
def tokens_of(make_settings: MakeSettings) -> Callable[[SigningRing], Tokens]:
    """Issue and verify with a ring."""
    keys = make_settings().keyring
    return lambda ring: Tokens(ring, keys, issuer="us", audience="ostiary", seconds=900)


def a_session() -> Session:
    """Return a session that no table knows: tokens are verified without one."""
    facts: dict[str, Any] = dict.fromkeys(Session.__dataclass_fields__)
    facts |= {"id": new_id(), "user_id": new_id(), "epoch": 1, "generation": 0}
    facts |= {"key_id": "k1", "amr": ("pwd",), "authenticated_at": datetime.now(UTC)}
    return Session(**facts)


def kid(token: str) -> str:
    """Return which key signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


async def test_five_rings_that_start_at_once_have_one_key(
    new_ring: NewRing, room: OwnDatabase
) -> None:
    rings = await asyncio.gather(*(new_ring() for _ in range(5)))

    assert len(await room.states()) == 1
    assert len({ring.signer().id for ring in rings}) == 1


@pytest.mark.parametrize("algorithm", TokenAlgorithm)
async def test_tokens_verify_through_a_rotation_and_after_it_until_their_key_is_retired(
    new_ring: NewRing,
    tokens_of: Callable[[SigningRing], Tokens],
    database: Database,
    room: OwnDatabase,
    algorithm: TokenAlgorithm,
) -> None:
    ring = await new_ring(algorithm)
    tokens = tokens_of(ring)
    before = tokens.issue(a_session(), "user").access_token

    made = await rotate(database, algorithm, reason=Reason.COMMAND)
    await ring.load()
    waiting = tokens.issue(a_session(), "user").access_token
    assert [key["kid"] for key in ring.jwks()["keys"]] == [made.key_id, kid(before)]

    await room.age(HOUR - 5)
    await ring.load()
    assert kid(tokens.issue(a_session(), "user").access_token) == kid(before)
    await room.age(10)
    await (await new_ring(algorithm)).load()
    fresh = await new_ring(algorithm)
    after = tokens_of(fresh).issue(a_session(), "user").access_token

    assert (kid(waiting), kid(after)) == (kid(before), made.key_id)
    for one in (ring, fresh):
        for token in (before, waiting, after):
            await tokens_of(one).verify(token)
    await retire(database, kid(before))
    await ring.load()
    assert [key["kid"] for key in ring.jwks()["keys"]] == [made.key_id]
    for token in (before, waiting):
        with pytest.raises(InvalidToken):
            await tokens.verify(token)
    await tokens.verify(after)


async def test_a_token_of_a_key_made_elsewhere_a_moment_ago_is_good_for_all_who_ask_at_once(
    new_ring: NewRing, tokens_of: Callable[[SigningRing], Tokens], database: Database
) -> None:
    here, there = await new_ring(), await new_ring()
    await replace_all(database, EDDSA)
    await there.load()
    token = tokens_of(there).issue(a_session(), "user").access_token

    claims = await asyncio.gather(*(tokens_of(here).verify(token) for _ in range(50)))

    assert len({item.session_id for item in claims}) == 1


async def test_strangers_with_unknown_keys_make_a_process_look_once_in_two_seconds(
    new_ring: NewRing, tokens_of: Callable[[SigningRing], Tokens]
) -> None:
    metrics = Metrics()
    tokens = tokens_of(await new_ring(metrics=metrics))

    def looks() -> float:
        return metrics.registry.get_sample_value("db_client_acquire_duration_seconds_count") or 0

    async def present(header: dict[str, Any]) -> None:
        with pytest.raises(InvalidToken):
            await tokens.verify(f"{b64(dumped(header))}.e30.AAAA")

    earlier = looks()
    for number in range(300):
        header = {"alg": "EdDSA", "kid": f"{number:016x}", "typ": "at+jwt"}
        await present(header | {"kid": "../../etc/passwd"})
        assert looks() - earlier == min(number, 1)
        await present(header)


async def test_a_ring_that_cannot_look_says_so_and_not_that_the_token_is_bad(
    new_ring: NewRing, tokens_of: Callable[[SigningRing], Tokens], room: OwnDatabase
) -> None:
    ring = await new_ring()
    tokens = tokens_of(ring)
    known = tokens.issue(a_session(), "user").access_token
    header = {"alg": "EdDSA", "kid": "0" * 16, "typ": "at+jwt"}
    unknown = f"{b64(dumped(header))}.e30.AAAA"

    async with room.gone():
        for _ in range(3):
            with pytest.raises(Unavailable):
                await tokens.verify(unknown)
        await tokens.verify(known)


async def test_a_ring_that_watches_sees_new_keys_and_outlives_a_database_that_goes_away(
    new_ring: NewRing, database: Database, room: OwnDatabase
) -> None:
    ring = await new_ring()
    watching = asyncio.create_task(ring.watch(every=0.05))

    async def sees(count: int) -> bool:
        return len(ring.jwks()["keys"]) == count

    made = await rotate(database, EDDSA, reason=Reason.COMMAND)
    await eventually(lambda: sees(2))
    async with room.gone():
        await asyncio.sleep(0.5)
        assert not watching.done()
        assert await sees(2)
    await retire(database, made.key_id)
    await eventually(lambda: sees(1))

    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_ring_whose_clock_is_behind_signs_with_what_there_is(
    new_ring: NewRing, tokens_of: Callable[[SigningRing], Tokens], room: OwnDatabase
) -> None:
    ring = await new_ring()
    await room.age(-60)
    late = await new_ring()

    token = tokens_of(late).issue(a_session(), "user").access_token

    assert kid(token) == ring.signer().id
