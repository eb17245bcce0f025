"""Classes of accounts that a stranger must not be able to tell apart, and how they come about."""

from enum import StrEnum
from typing import Any

import bcrypt

from tests.factories import PASSWORD

_LONGEST = 12


class Account(StrEnum):
    """What may live under an address, told by its state and never by its answers."""

    UNKNOWN = "unknown"
    # Nobody lives here either: the same requests once more, counted some time longer.
    CONTROL = "control"
    KNOWN = "known"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    PASSWORDLESS = "passwordless"
    BCRYPT = "bcrypt"
    UNVERIFIED = "unverified"
    # Their person signed in before, from the address and user agent that now guess.
    KNOWN_PLACE = "known-place"
    # A letter with a code is on its way there; or its guesses are used up.
    PENDING = "pending"
    WORN_OUT = "worn-out"


NOBODY = frozenset({Account.UNKNOWN, Account.CONTROL})

ADD = """
INSERT INTO users (id, email, password_hash, first_name, last_name,
    email_verified, is_active, deleted_at)
SELECT gen_random_uuid(), address, $2, 'Ada', 'Lovelace', $3, $4, $5::timestamptz
FROM unnest($1::text[]) AS address
"""

ADD_RESETS = """
INSERT INTO password_reset_tokens
    (id, user_id, email, credential_version, token_mac, code_mac, wrong_codes, expires_at)
SELECT gen_random_uuid(), id, email, credential_version, sha256(email::bytea),
    sha256(first_name::bytea), $2, now() + interval '1 day'
FROM users WHERE email = ANY($1)
"""

ADD_VERIFICATIONS = """
INSERT INTO email_verification_tokens
    (id, user_id, email, token_mac, code_mac, wrong_codes, expires_at)
SELECT gen_random_uuid(), id, email, sha256(email::bytea),
    sha256(first_name::bytea), $2, now() + interval '1 day'
FROM users WHERE email = ANY($1)
"""

# Signing in from here hundreds of times would take minutes: one sign-in is copied.
COPY_DEVICE = """
INSERT INTO devices (id, user_id, site, agent_mac)
SELECT gen_random_uuid(), users.id, devices.site, devices.agent_mac FROM devices, users
WHERE users.email = ANY($1) AND users.id <> devices.user_id
"""


def address_of(account: Account, number: int) -> str:
    """Return one of the addresses of a class; all have the same length."""
    return f"{account.value.ljust(_LONGEST, 'x')}{number:05}@example.com"


async def add_accounts(
    owner: Any, account: Account, *, count: int, own_hash: str, bcrypt_cost: int
) -> None:
    """Put people of a class into the database, past the API: no letters, no waiting."""
    addresses = [address_of(account, number) for number in range(count)]
    stored: str | None = own_hash
    if account is Account.PASSWORDLESS:
        stored = None
    if account is Account.BCRYPT:
        stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(bcrypt_cost)).decode()
    verified = account not in {Account.UNVERIFIED, Account.PENDING, Account.WORN_OUT}
    active = account is not Account.DEACTIVATED
    deleted = await owner.fetchval("SELECT now()") if account is Account.DELETED else None
    await owner.execute(ADD, addresses, stored, verified, active, deleted)
    if account in {Account.PENDING, Account.WORN_OUT}:
        wrong_codes = 5 if account is Account.WORN_OUT else 0
        await owner.execute(ADD_RESETS, addresses, wrong_codes)
        await owner.execute(ADD_VERIFICATIONS, addresses, wrong_codes)


async def copy_device(owner: Any, *, count: int) -> None:
    """Let everybody of KNOWN_PLACE have the one device there is."""
    addresses = [address_of(Account.KNOWN_PLACE, number) for number in range(count)]
    await owner.execute(COPY_DEVICE, addresses)
