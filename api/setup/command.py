"""`python -m api admin create`: the admin of the settings, or a one-time link."""

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

from marshmallow import ValidationError

from api.auth.service import NewUser
from api.fields import NewEmail
from api.parts import open_parts
from api.passwords.policy import PasswordPolicy, normalized
from api.setup.service import LINK_SECONDS, AdminState, SetupService
from ops.errors import Problem, Unavailable
from ops.settings import Settings

_AGAIN_SECONDS = 0.5


async def ensure_admin(settings: Settings, *, wait_seconds: float = 0) -> dict[str, Any]:
    """Create the admin of ADMIN_EMAIL, or make a set-up link, or say that there is one.

    Returns {ok, state, text, link?}; nobody who exists is changed. Raises Unavailable when the
    database is away, or its tables are held, for longer than it may wait.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return await _ensured(settings)
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_AGAIN_SECONDS)


async def _ensured(settings: Settings) -> dict[str, Any]:
    async with open_parts(settings, name="admin") as parts:
        service = SetupService(
            database=parts.database,
            hasher=parts.hasher,
            policy=PasswordPolicy(settings.security_profile),
            keys=parts.keys,
        )
        if await service.admin_exists():
            return _exists()
        if settings.admin_email:
            return await _from_settings(service, settings)
        token = await service.new_link_token()
    link = f"{settings.base_url}/setup?{urlencode({'token': token})}"
    text = f"{link}\n(one use, {LINK_SECONDS // 60} minutes)"
    return {"ok": True, "state": AdminState.LINK, "text": text, "link": link}


async def _from_settings(service: SetupService, settings: Settings) -> dict[str, Any]:
    try:
        email = NewEmail().deserialize(settings.admin_email)
        new = NewUser(
            email=email,
            password=normalized(settings.admin_password),
            first_name="First",
            last_name="Admin",
        )
        created = await service.create_from_settings(new)
    except (Problem, ValidationError) as error:
        if isinstance(error, ValidationError):
            reasons = [str(message) for message in error.messages]
        else:
            reasons = [item.message for item in error.details] or [error.message]
        text = f"ADMIN_EMAIL, ADMIN_PASSWORD: {'; '.join(reasons)}"
        return {"ok": False, "state": "refused", "text": text}
    if not created:  # another process was faster
        return _exists()
    return {"ok": True, "state": AdminState.CREATED, "text": f"{email} is the administrator."}


def _exists() -> dict[str, Any]:
    text = "There is an administrator already; nothing was changed."
    return {"ok": True, "state": AdminState.EXISTS, "text": text}
