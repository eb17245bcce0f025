"""Letters to people: each one keyed by its job, so that a job done twice sends one."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ops.agents import UNKNOWN, name_of
from storage.email_changes import CONFIRM_SECONDS, UNDO_SECONDS, Change
from storage.jobs import (
    SendAccountDeleted,
    SendAccountRestored,
    SendAccountSuspended,
    SendAlreadyRegistered,
    SendEmailChange,
    SendEmailChanged,
    SendNewDevice,
    SendPasswordChanged,
    SendReuseNotice,
    SendVerification,
    SendWelcome,
)
from storage.letters import Recipient
from storage.outbox import Promise
from storage.repositories import Storage
from storage.tokens import TokenAndCode, TokenKind, derived, digest
from workers.actor import actor
from workers.letters import Letter
from workers.posting import (
    letter_to,
    link_to,
    living,
    may_go,
    notify,
    post,
    withhold,
)
from workers.toolbox import Tools

_WELCOME = "welcome"
_VERIFICATION = "verification"
_ALREADY_REGISTERED = "already_registered"
_TOKEN_REUSE = "token_reuse"  # noqa: S105 - a template
_NEW_DEVICE = "new_device"
_PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a template
_CONFIRM_CHANGE = "confirm_change"
_EMAIL_CHANGED = "email_changed"
_ACCOUNT_CREATED = "account_created"
_ACCOUNT_DELETED = "account_deleted"
_ACCOUNT_SUSPENDED = "account_suspended"
_ACCOUNT_RESTORED = "account_restored"
_VERIFY_HOURS = 24
_CONFIRM_HOURS = CONFIRM_SECONDS // 3_600
_UNDO_HOURS = UNDO_SECONDS // 3_600
_FORGOT_PASSWORD = "forgot-password"  # noqa: S105 - a page


@actor(SendWelcome)
async def send_welcome(job: SendWelcome, promise: Promise, tools: Tools) -> None:
    """Welcome a new user with a link and a code that verify the address, unless they are gone.

    Somebody whose address an administrator knew to be theirs is only told of the account.
    """
    async with tools.database.transaction() as storage:
        recipient = await living(job.user_id, storage)
        letter = None
        if recipient and not recipient.email_verified:
            letter = await _proof_of_address(recipient, promise, _WELCOME, storage, tools)
    if recipient and recipient.email_verified:
        await _tell(job.user_id, promise, _ACCOUNT_CREATED, tools)
    elif letter:
        await post(letter, promise, tools)
        tools.metrics.verifications.labels("requested").inc()


@actor(SendVerification)
async def send_verification(job: SendVerification, promise: Promise, tools: Tools) -> None:
    """Send link and code once more, unless the address is proved or its user may not sign in."""
    async with tools.database.transaction() as storage:
        recipient = await living(job.user_id, storage)
        if recipient is None or recipient.email_verified or not recipient.is_active:
            return
        letter = await _proof_of_address(recipient, promise, _VERIFICATION, storage, tools)
    if letter:
        await post(letter, promise, tools)
        tools.metrics.verifications.labels("requested").inc()


async def _proof_of_address(
    recipient: Recipient, promise: Promise, template: str, storage: Storage, tools: Tools
) -> Letter | None:
    """Offer a token and a code, return their letter; None when it went out or may not."""
    if not await may_go(recipient, promise, template, storage, tools):
        return None
    secret = await _offered(recipient, promise, storage, tools)
    if secret is None:
        # Whoever changes their password just now retires the token that was about to be offered.
        now = await living(recipient.id, storage)
        if now and not now.email_verified and now.email == recipient.email:
            secret = await _offered(now, promise, storage, tools)
    if secret is None:
        await withhold(promise, template, storage, tools)
        return None
    link = link_to("verify-email", tools, token=secret.token)
    return letter_to(recipient, promise, template, link=link, code=secret.code, hours=_VERIFY_HOURS)


async def _offered(
    recipient: Recipient, promise: Promise, storage: Storage, tools: Tools
) -> TokenAndCode | None:
    kind = TokenKind.EMAIL_VERIFICATION
    secret = _secret(kind, promise, recipient.email, recipient.credential_version, tools)
    offered = await storage.email_verifications.offer(
        promise.id,
        user_id=recipient.id,
        email=recipient.email,
        token_mac=digest(tools.keys, kind, secret.token),
        code_mac=digest(tools.keys, kind, secret.code),
        seconds=_VERIFY_HOURS * 3_600,
    )
    return secret if offered else None


@actor(SendAlreadyRegistered)
async def send_already_registered(
    job: SendAlreadyRegistered, promise: Promise, tools: Tools
) -> None:
    """Tell somebody who has an account that registering again is not the way in."""
    await _tell(job.user_id, promise, _ALREADY_REGISTERED, tools)


@actor(SendReuseNotice)
async def send_reuse_notice(job: SendReuseNotice, promise: Promise, tools: Tools) -> None:
    """Tell a user that one of their sessions was ended, unless they are gone."""
    await _tell(job.user_id, promise, _TOKEN_REUSE, tools)


@actor(SendPasswordChanged)
async def send_password_changed(job: SendPasswordChanged, promise: Promise, tools: Tools) -> None:
    """Tell a user that their password is another one now, and when that happened."""
    await _tell(job.user_id, promise, _PASSWORD_CHANGED, tools, at=_shown(promise.created_at))


@actor(SendNewDevice)
async def send_new_device(job: SendNewDevice, promise: Promise, tools: Tools) -> None:
    """Tell a user which device signed in from where and when, unless the session is erased."""
    async with tools.database.reading() as storage:
        sign_in = await storage.letters.sign_in(job.session_id)
    if sign_in is None:
        return
    await _tell(
        sign_in.user_id,
        promise,
        _NEW_DEVICE,
        tools,
        device=name_of(sign_in.user_agent) if sign_in.user_agent else UNKNOWN,
        address=sign_in.address or "unknown",
        at=_shown(sign_in.at),
    )


@actor(SendAccountDeleted)
async def send_account_deleted(job: SendAccountDeleted, promise: Promise, tools: Tools) -> None:
    """Say farewell to somebody whose account is deleted; nothing when it was restored or erased."""
    async with tools.database.reading() as storage:
        recipient = await storage.letters.recipient(job.user_id)
    if recipient and recipient.deleted:
        await notify(recipient, promise, _ACCOUNT_DELETED, tools, at=_shown(promise.created_at))


@actor(SendAccountSuspended)
async def send_account_suspended(job: SendAccountSuspended, promise: Promise, tools: Tools) -> None:
    """Tell somebody that they cannot sign in; nothing when they can again, or are gone."""
    async with tools.database.reading() as storage:
        recipient = await living(job.user_id, storage)
    if recipient and not recipient.is_active:
        await notify(recipient, promise, _ACCOUNT_SUSPENDED, tools, at=_shown(promise.created_at))


@actor(SendAccountRestored)
async def send_account_restored(job: SendAccountRestored, promise: Promise, tools: Tools) -> None:
    """Tell somebody that they can sign in again; nothing when they cannot after all."""
    async with tools.database.reading() as storage:
        recipient = await living(job.user_id, storage)
    if recipient and recipient.is_active:
        way_in = link_to(_FORGOT_PASSWORD, tools)
        at = _shown(promise.created_at)
        await notify(recipient, promise, _ACCOUNT_RESTORED, tools, at=at, forgot=way_in)


@actor(SendEmailChange)
async def send_email_change(job: SendEmailChange, promise: Promise, tools: Tools) -> None:
    """Ask a new address to confirm; nothing when somebody lives there or the wish has ended."""
    async with tools.database.transaction() as storage:
        change = await storage.email_changes.by_id(job.change_id)
        if change is None or await storage.users.id_of(change.new_email):
            return
        letter = await _proof_of_new_address(change, promise, storage, tools)
    if letter:
        await post(letter, promise, tools)
        tools.metrics.email_changes.labels("sent").inc()


async def _proof_of_new_address(
    change: Change, promise: Promise, storage: Storage, tools: Tools
) -> Letter | None:
    kind = TokenKind.EMAIL_CHANGE
    owner = await living(change.user_id, storage)
    if owner is None:
        return None
    # Who reads it may be a stranger, whom the name of the account's owner does not concern.
    recipient = replace(
        owner, email=change.new_email, email_verified=False, first_name="", last_name=""
    )
    if not await may_go(recipient, promise, _CONFIRM_CHANGE, storage, tools):
        return None
    secret = _secret(kind, promise, change.new_email, owner.credential_version, tools)
    await storage.email_changes.offer(
        change.id,
        token_mac=digest(tools.keys, kind, secret.token),
        code_mac=digest(tools.keys, kind, secret.code),
    )
    link = link_to("confirm-email", tools, token=secret.token)
    return letter_to(
        recipient, promise, _CONFIRM_CHANGE, link=link, code=secret.code, hours=_CONFIRM_HOURS
    )


@actor(SendEmailChanged)
async def send_email_changed(job: SendEmailChanged, promise: Promise, tools: Tools) -> None:
    """Tell the old address; with a way back if its owner had proved it and the account lives."""
    kind, link = TokenKind.EMAIL_UNDO, ""
    async with tools.database.transaction() as storage:
        found = await storage.email_changes.confirmed(job.change_id)
        owner = await storage.letters.recipient(found[0].user_id) if found else None
        if found is None or owner is None:
            return
        change, can_be_undone = found
        recipient = replace(owner, email=change.old_email, email_verified=can_be_undone)
        if not await may_go(recipient, promise, _EMAIL_CHANGED, storage, tools):
            return
        if can_be_undone and not owner.deleted:
            # Not of the credential's version: whoever took the account may change that.
            token = derived(kind, tools.keys, promise.id, change.old_email).token
            await storage.email_changes.offer_undo(change.id, digest(tools.keys, kind, token))
            link = link_to("undo-email-change", tools, token=token)
    at = _shown(promise.created_at)
    letter = letter_to(recipient, promise, _EMAIL_CHANGED, link=link, hours=_UNDO_HOURS, at=at)
    await post(letter, promise, tools)


async def _tell(
    user_id: UUID, promise: Promise, template: str, tools: Tools, **facts: str | int
) -> None:
    """Send a notice with the way to a new password, unless its user is gone."""
    async with tools.database.reading() as storage:
        recipient = await living(user_id, storage)
    if recipient:
        way_out = link_to(_FORGOT_PASSWORD, tools)
        await notify(recipient, promise, template, tools, forgot=way_out, **facts)


def _secret(
    kind: TokenKind, promise: Promise, email: str, credential_version: int, tools: Tools
) -> TokenAndCode:
    return derived(kind, tools.keys, promise.id, email, credential_version)


def _shown(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M} UTC"
