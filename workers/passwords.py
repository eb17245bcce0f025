"""Letters that let somebody choose a new password, keyed by their job."""

from storage.jobs import SendReset
from storage.letters import Recipient
from storage.outbox import Promise
from storage.repositories import Storage
from storage.tokens import TokenKind, derived, digest
from workers.actor import actor
from workers.letters import Letter
from workers.posting import letter_to, link_to, living, may_go, post, withhold
from workers.toolbox import Tools

_RESET = "reset"
_MINUTE = 60


@actor(SendReset)
async def send_reset(job: SendReset, promise: Promise, tools: Tools) -> None:
    """Send a link and a code for a new password; nothing for NOBODY, deleted or deactivated."""
    async with tools.database.transaction() as storage:
        recipient = await living(job.user_id, storage)
        if recipient is None or not recipient.is_active:
            return
        letter = await _permit(recipient, promise, storage, tools)
    if letter:
        await post(letter, promise, tools)
        tools.metrics.resets.labels("sent").inc()


async def _permit(
    recipient: Recipient, promise: Promise, storage: Storage, tools: Tools
) -> Letter | None:
    kind, seconds = TokenKind.PASSWORD_RESET, tools.settings.password_reset_ttl
    if not await may_go(recipient, promise, _RESET, storage, tools):
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
        await withhold(promise, _RESET, storage, tools)
        return None
    link = link_to("reset-password", tools, token=secret.token)
    minutes = max(seconds // _MINUTE, 1)
    return letter_to(recipient, promise, _RESET, link=link, code=secret.code, minutes=minutes)
