"""Letters to people: each one keyed by its job, so that a job done twice sends one."""

from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from storage.database import Storage
from storage.jobs import SendReuseNotice, SendWelcome
from storage.letters import LetterState
from storage.outbox import Promise
from storage.tokens import TokenAndCode, TokenKind, derived, digest
from storage.users import User, UserNotFound
from workers.actor import actor
from workers.insist import insist
from workers.letters import Letter
from workers.outcomes import GivenUp
from workers.toolbox import Tools

_WELCOME = "welcome"
_TOKEN_REUSE = "token_reuse"  # noqa: S105 - a template
_VERIFY_HOURS = 24
# A letter that left while PostgreSQL restarts must be noted, else it leaves once more.
_NOTE_SECONDS = 30.0


@actor(SendWelcome)
async def send_welcome(job: SendWelcome, promise: Promise, tools: Tools) -> None:
    """Welcome a new user with a link and a code that verify the address, unless they are gone."""
    kind = TokenKind.EMAIL_VERIFICATION
    async with tools.database.transaction() as storage:
        user = await _recipient(job.user_id, promise, _WELCOME, storage)
        if user is None:
            return
        secret = derived(kind, tools.keys, promise.id, user.email, user.credential_version)
        await storage.email_verifications.offer(
            promise.id,
            user_id=user.id,
            email=user.email,
            token_mac=digest(tools.keys, kind, secret.token),
            code_mac=digest(tools.keys, kind, secret.code),
            seconds=_VERIFY_HOURS * 3_600,
        )
    await _post(_welcome(promise, user, secret, tools), promise, tools)
    tools.metrics.verifications.labels("requested").inc()


@actor(SendReuseNotice)
async def send_reuse_notice(job: SendReuseNotice, promise: Promise, tools: Tools) -> None:
    """Tell a user that one of their sessions was ended, unless they are gone."""
    async with tools.database.transaction() as storage:
        user = await _recipient(job.user_id, promise, _TOKEN_REUSE, storage)
        if user is None:
            return
    letter = _letter(promise, user, _TOKEN_REUSE, first_name=user.first_name)
    await _post(letter, promise, tools)


def _welcome(promise: Promise, user: User, secret: TokenAndCode, tools: Tools) -> Letter:
    link = f"{tools.settings.base_url}/verify-email?{urlencode({'token': secret.token})}"
    return _letter(
        promise,
        user,
        _WELCOME,
        first_name=user.first_name,
        link=link,
        code=secret.code,
        hours=_VERIFY_HOURS,
    )


def _letter(promise: Promise, user: User, template: str, **facts: str | int) -> Letter:
    return Letter(
        id=promise.id,
        template=template,
        to_address=user.email,
        to_name=f"{user.first_name} {user.last_name}",
        locale=user.locale,
        facts=facts,
    )


async def _recipient(
    user_id: UUID, promise: Promise, template: str, storage: Storage
) -> User | None:
    """Keep a row for the letter; None when its user is gone or an earlier try handed it over."""
    try:
        user = await storage.users.by_id(user_id)
    except UserNotFound:
        return None
    state = await storage.letters.queue(promise.id, user_id=user.id, template=template)
    return None if state is LetterState.HANDED_OVER else user


async def _post(letter: Letter, promise: Promise, tools: Tools) -> None:
    """Hand a letter over and note what the other side said."""
    try:
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
