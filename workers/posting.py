"""How every letter goes out: whom it goes to, whether it may, and what became of it."""

from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from ops.metrics import Metrics
from storage.letters import LetterState, Recipient
from storage.outbox import Promise
from storage.repositories import Storage
from workers.insist import insist
from workers.letters import Letter
from workers.outcomes import GivenUp
from workers.toolbox import Tools
from workers.traces import delivering

# What anybody can cause who knows an address; each recipient gets so many in an hour.
_ASKED_FOR = frozenset({"welcome", "verification", "reset", "confirm_change", "already_registered"})
_LINK_MARKS = dict.fromkeys(map(ord, ".:/@\\"), " ")
_BLIND_INDEX = "letter recipient"
# A letter that left while PostgreSQL restarts must be noted, else it leaves once more.
_NOTE_SECONDS = 30.0
# A token that was used and one that was retired look alike: whether a try before handed the letter
# over is not known, and not claimed.
_OVERTAKEN = "overtaken"
_PERHAPS_GONE = "overtaken; the try before, whose worker vanished, may have handed it over"


async def living(user_id: UUID, storage: Storage) -> Recipient | None:
    """Return whom to write to, None when they are gone, and for NOBODY."""
    recipient = await storage.letters.recipient(user_id)
    return None if recipient is None or recipient.deleted else recipient


async def may_go(
    recipient: Recipient, promise: Promise, template: str, storage: Storage, tools: Tools
) -> bool:
    """Keep a row for the letter; False when an earlier try handed it over, or it is one too many.

    Letters that strangers can cause are counted by address, and so is every letter to an address
    that nobody has proved: whoever registers with somebody else's could fill their mailbox.
    """
    if template in _ASKED_FOR or not recipient.email_verified:
        state = await storage.letters.queue_limited(
            promise.id,
            user_id=recipient.id,
            template=template,
            recipient_macs=tools.keys.macs(recipient.email.encode(), purpose=_BLIND_INDEX),
        )
    else:
        state = await storage.letters.queue(promise.id, user_id=recipient.id, template=template)
    if state is LetterState.WITHHELD:
        _withheld(template, tools.metrics)
    return state not in {LetterState.HANDED_OVER, LetterState.WITHHELD}


async def withhold(promise: Promise, template: str, storage: Storage, tools: Tools) -> None:
    """Note that a letter stays here since what it would carry is worthless by now."""
    answer = _PERHAPS_GONE if promise.crashes else _OVERTAKEN
    await storage.letters.set_state(promise.id, LetterState.WITHHELD, answer)
    _withheld(template, tools.metrics)


def _withheld(template: str, metrics: Metrics) -> None:
    metrics.letters.labels(template, LetterState.WITHHELD).inc()


def letter_to(recipient: Recipient, promise: Promise, template: str, **facts: str | int) -> Letter:
    """Return the letter of a job, whose id is also its Message-ID."""
    return Letter(
        id=promise.id,
        template=template,
        to_address=recipient.email,
        to_name=f"{recipient.first_name} {recipient.last_name}",
        locale=recipient.locale,
        facts={"first_name": _plain(recipient.first_name)} | facts,
        request_id=promise.request_id,
    )


def _plain(name: str) -> str:
    """Return a name without what makes mail programs show a link: it may be a stranger's words."""
    return " ".join(name.translate(_LINK_MARKS).split())


def link_to(page: str, tools: Tools, *, token: str = "") -> str:
    """Return a link to one of our pages, made of PUBLIC_URL and nothing else."""
    query = f"?{urlencode({'token': token})}" if token else ""
    return f"{tools.settings.base_url}/{page}{query}"


async def notify(
    recipient: Recipient, promise: Promise, template: str, tools: Tools, **facts: str | int
) -> None:
    """Send a letter that carries no token, unless it went out before."""
    async with tools.database.transaction() as storage:
        if not await may_go(recipient, promise, template, storage, tools):
            return
    await post(letter_to(recipient, promise, template, **facts), promise, tools)


async def post(letter: Letter, promise: Promise, tools: Tools) -> None:
    """Hand a letter over and note what the other side said."""
    try:
        with delivering(letter.template, tools.settings):
            answer = await tools.mailer.send(tools.letters.compose(letter))
    except GivenUp as error:
        await _note(letter, LetterState.FAILED, str(error), tools)
        raise
    await _note(letter, LetterState.HANDED_OVER, answer, tools)
    tools.metrics.letter_seconds.observe(
        max((datetime.now(UTC) - promise.created_at).total_seconds(), 0.0)
    )


async def _note(letter: Letter, state: LetterState, answer: str, tools: Tools) -> None:
    async def note() -> None:
        async with tools.database.transaction() as storage:
            await storage.letters.set_state(letter.id, state, answer)

    await insist(note, seconds=_NOTE_SECONDS)
    tools.metrics.letters.labels(letter.template, state).inc()
