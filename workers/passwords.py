"""Letters that let somebody choose a password, keyed by their job."""

from storage.jobs import SendInvitation, SendReset
from storage.letters import Recipient
from storage.outbox import Promise
from storage.repositories import Storage
from storage.tokens import TokenAndCode, TokenKind, derived, digest
from workers.actor import actor
from workers.letters import Letter
from workers.posting import letter_to, link_to, living, may_go, post, withhold
from workers.toolbox import Tools

_RESET = "reset"
_INVITATION = "invitation"
_MINUTE = 60
_DAY = 86_400
# An invitation waits for somebody who did not ask for it.
_INVITATION_DAYS = 7


@actor(SendReset)
async def send_reset(job: SendReset, promise: Promise, tools: Tools) -> None:
    """Send a link and a code for a new password; nothing for NOBODY, deleted or deactivated."""
    async with tools.database.transaction() as storage:
        recipient = await living(job.user_id, storage)
        if recipient is None or not recipient.is_active:
            return
        seconds = tools.settings.password_reset_ttl
        secret = await _permit(recipient, promise, _RESET, storage, tools, seconds=seconds)
    if secret:
        minutes = max(seconds // _MINUTE, 1)
        letter = _letter(recipient, promise, _RESET, secret, tools, minutes=minutes)
        await post(letter, promise, tools)
        tools.metrics.resets.labels("sent").inc()


@actor(SendInvitation)
async def send_invitation(job: SendInvitation, promise: Promise, tools: Tools) -> None:
    """Send a link and a code for a first password; nothing to the deleted or deactivated."""
    async with tools.database.transaction() as storage:
        recipient = await living(job.user_id, storage)
        if recipient is None or not recipient.is_active:
            return
        seconds = _INVITATION_DAYS * _DAY
        secret = await _permit(recipient, promise, _INVITATION, storage, tools, seconds=seconds)
    if secret:
        days = _INVITATION_DAYS
        letter = _letter(recipient, promise, _INVITATION, secret, tools, days=days)
        await post(letter, promise, tools)
        tools.metrics.resets.labels("invited").inc()


async def _permit(  # noqa: PLR0913 - what one letter is made of
    recipient: Recipient,
    promise: Promise,
    template: str,
    storage: Storage,
    tools: Tools,
    *,
    seconds: int,
) -> TokenAndCode | None:
    """Offer a token and a code, return them; None when their letter went out or may not."""
    kind = TokenKind.PASSWORD_RESET
    if not await may_go(recipient, promise, template, storage, tools):
        return None
    secret = derived(kind, tools.keys, promise.id, recipient.email, recipient.credential_version)
    offered = await storage.password_resets.offer(
        promise.id,
        user_id=recipient.id,
        email=recipient.email,
        credential_version=recipient.credential_version,
        token_mac=digest(tools.keys, kind, secret.token),
        code_mac=digest(tools.keys, kind, secret.code),
        seconds=seconds,
    )
    if not offered:
        await withhold(promise, template, storage, tools)
        return None
    return secret


def _letter(
    recipient: Recipient,
    promise: Promise,
    template: str,
    secret: TokenAndCode,
    tools: Tools,
    **facts: int,
) -> Letter:
    link = link_to("reset-password", tools, token=secret.token)
    return letter_to(recipient, promise, template, link=link, code=secret.code, **facts)
