"""Rotation of the signing keys: when one is made, when it signs, when it is retired.

A new key stands in the JWKS for an hour before it signs, so that every verifier has it by then. An
old one verifies until the last token it signed has expired, and an hour more for clocks that
differ. Nobody is logged out by either.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.key_pairs import KeyPair, make_pair
from storage.repositories import Storage
from storage.signing_keys import LIVING, KeyState

WAIT_SECONDS = 3_600
LEEWAY_SECONDS = 3_600


class RotationError(Exception):
    """What was asked for would stop the service from signing, or names no key; says what to do."""


class Reason(StrEnum):
    """Why a key was made, for the audit trail."""

    FIRST = "first"
    ALGORITHM = "algorithm"
    AGE = "age"
    COMMAND = "command"
    COMPROMISE = "compromise"


# A start needs a key of its algorithm and is content with the one that signs; the others want one
# more.
_CONTENT = (Reason.FIRST, Reason.ALGORITHM)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that follows, when it signs, and whether it was made now or found waiting."""

    key_id: str
    signs_from: datetime
    made: bool


async def ensure_key(database: Database, algorithm: TokenAlgorithm) -> None:
    """Make the first key, or the next one when the newest is of another algorithm."""
    async with database.reading() as storage:
        living = [key for key in await storage.signing_keys.listed() if key.state in LIVING]
    if not living:
        await rotate(database, algorithm, reason=Reason.FIRST)
    elif living[0].algorithm is not algorithm:
        await rotate(database, algorithm, reason=Reason.ALGORITHM)


async def rotate(database: Database, algorithm: TokenAlgorithm, *, reason: Reason) -> Rotation:
    """Make the key that signs next, unless one is waiting already; two never wait at once."""
    pair = await make_pair(algorithm)
    async with database.transaction() as storage:
        await storage.signing_keys.lock()
        return await _found(storage, algorithm, reason) or await _added(storage, pair, reason)


async def rotate_old(
    database: Database, algorithm: TokenAlgorithm, *, seconds: int
) -> Rotation | None:
    """Make the next key when the signing one is so many seconds old; None when it is not."""
    async with database.reading() as storage:
        key = await storage.signing_keys.signing()
    if key is None or key.age < seconds:
        return None
    return await rotate(database, algorithm, reason=Reason.AGE)


async def replace_all(database: Database, algorithm: TokenAlgorithm) -> Rotation:
    """Make a key that signs at once and retire all others: what a stolen key calls for.

    Every access token dies within a second; sessions live on by refreshing.
    """
    pair = await make_pair(algorithm)
    async with database.transaction() as storage:
        keys = storage.signing_keys
        await keys.lock()
        old = [key.id for key in await keys.listed() if key.state in LIVING]
        key_id, signs_from = await keys.add(pair, wait=0)
        await _note_made(storage, key_id, algorithm, Reason.COMPROMISE)
        for each in old:
            await _retire(storage, each)
        await keys.forget_everything()
    return Rotation(key_id, signs_from, made=True)


async def retire(database: Database, key_id: str) -> None:
    """Retire one key that does not sign, and with it every token it signed.

    Raises RotationError for the key that signs, and for one that is unknown or retired.
    """
    async with database.transaction() as storage:
        await storage.signing_keys.lock()
        states = {key.id: key.state for key in await storage.signing_keys.listed()}
        if key_id not in states:
            raise RotationError(f"no key is called {key_id}; see `python -m storage keys list`")
        if states[key_id] is KeyState.RETIRED:
            raise RotationError(f"{key_id} is retired already")
        if states[key_id] is KeyState.SIGNING:
            raise RotationError(
                f"{key_id} signs now; `python -m storage keys rotate` makes one that follows it,"
                " `rotate --now` replaces it at once"
            )
        await _retire(storage, key_id)
        await storage.signing_keys.forget_everything()


async def retire_unneeded(database: Database, *, token_seconds: int) -> list[str]:
    """Retire keys none of whose tokens can be alive; return their ids."""
    async with database.transaction() as storage:
        await storage.signing_keys.lock()
        unneeded = await storage.signing_keys.unneeded(seconds=token_seconds + LEEWAY_SECONDS)
        for key_id in unneeded:
            await _retire(storage, key_id)
    return unneeded


async def _found(storage: Storage, algorithm: TokenAlgorithm, reason: Reason) -> Rotation | None:
    """Return the key that makes a new one needless; withdraw those nobody wants any more."""
    found = None
    for key in await storage.signing_keys.listed():
        is_wanted = key.algorithm is algorithm
        if key.state is KeyState.NEXT and not is_wanted:
            # It has not signed yet. Processes of two settings would pile such keys up.
            await _retire(storage, key.id)
        content = key.state is KeyState.SIGNING and reason in _CONTENT
        if is_wanted and (key.state is KeyState.NEXT or content):
            found = found or Rotation(key.id, key.signs_from, made=False)
    return found


async def _added(storage: Storage, pair: KeyPair, reason: Reason) -> Rotation:
    signing = await storage.signing_keys.signing()
    wait = WAIT_SECONDS if signing else 0
    key_id, signs_from = await storage.signing_keys.add(pair, wait=wait)
    await _note_made(storage, key_id, pair.algorithm, reason)
    return Rotation(key_id, signs_from, made=True)


async def _note_made(
    storage: Storage, key_id: str, algorithm: TokenAlgorithm, reason: Reason
) -> None:
    action = "signing_key.created" if reason is Reason.FIRST else "signing_key.rotated"
    await storage.audit.note(action, key=key_id, algorithm=algorithm, reason=reason)


async def _retire(storage: Storage, key_id: str) -> None:
    await storage.signing_keys.retire(key_id)
    await storage.audit.note("signing_key.retired", key=key_id)
