"""Rules of people as administrators, managers and they themselves see and change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from api.context import Call, Principal
from api.passwords.hasher import Hasher
from api.passwords.policy import PasswordPolicy
from api.problems import Forbidden, Invalid
from api.roles.rules import check_giving, check_permissions, standing
from api.users.reach import changed, check_sight
from ops.errors import Detail, Kind, Problem
from ops.metrics import Metrics
from storage.database import Database
from storage.jobs import SendEmailChanged, SendInvitation, SendVerification, SendWelcome
from storage.pages import Page, Window
from storage.repositories import Storage
from storage.roles import BuiltInRole, Permission, Role, RoleNotFound
from storage.users import EmailTaken, User, UserNotFound, UserStatus

# What everybody's record has, by the name it has on the wire: for the audit trail.
_WIRE_NAMES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "profile_picture_url": "profilePicture",
    "locale": "locale",
    "plan": "plan",
}
# Of whom nobody has said which language they read; PostgreSQL fills it in.
DEFAULT_LOCALE = "en"
_FOR_ALL_ONLY = frozenset({"email", "plan"})


class OwnAddress(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """Change your own address at /auth/change-email, which makes sure that it is you."""


class AddressTaken(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
    """Somebody has this address. Look for them by filter[email], or choose another address."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("email", "Email already exists")])


@dataclass(frozen=True, slots=True, kw_only=True)
class UserToCreate:
    """Somebody an account is made for; without a password a letter lets them choose one."""

    email: str
    first_name: str
    last_name: str
    password: str | None = field(repr=False)
    role: str
    plan: str
    email_verified: bool


class UserService:
    """Shows, creates and changes people."""

    def __init__(
        self, *, database: Database, hasher: Hasher, policy: PasswordPolicy, metrics: Metrics
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._policy = policy
        self._metrics = metrics

    async def page(self, window: Window, principal: Principal, call: Call) -> Page[User]:
        """List people; raise Invalid for an unknown role, Forbidden for the deleted."""
        async with self._database.reading() as storage:
            filters = await _filters(storage, window.filters, principal)
            page = await storage.users.page(replace(window, filters=filters))
        merged = self._database.merged
        await merged.audit.note("users.listed", actor=call.actor, count=len(page.items))
        return page

    async def get(self, user_id: UUID, principal: Principal, call: Call) -> User:
        """Return somebody; the deleted only to who may restore them. Raises UserNotFound."""
        check_sight(principal, user_id)
        own, merged = user_id == principal.user_id, self._database.merged
        user = await merged.user(user_id)
        if user.deleted_at and (own or not principal.may(Permission.USERS_DELETE)):
            raise UserNotFound
        if not own:
            await merged.audit.note("user.read", actor=call.actor, subject=user_id)
        return user

    async def create(self, new: UserToCreate, principal: Principal, call: Call) -> User:
        """Create somebody and promise the letter that tells them.

        Raises Invalid for a weak password or an unknown role, Forbidden for a role that is not the
        caller's to give, AddressTaken for a known address.
        """
        if call.claim and call.claim.result:
            async with self._database.reading() as storage:
                user = await storage.users.by_id(UUID(call.claim.result["id"]))
            return user if principal.may(Permission.USERS_READ) else _as_made(user, new)
        password_hash = await self._hashed(new)
        async with self._database.transaction(call.actor) as storage:
            await _check_role(storage, new.role, principal)
            user_id = await _added(storage, new, password_hash)
            await storage.roles.assign(user_id, new.role)
            invited = password_hash is None
            await storage.audit.note(
                "user.created",
                subject=user_id,
                role=new.role,
                plan=new.plan,
                invited=invited,
                verified=new.email_verified,
            )
            await storage.outbox.put((SendInvitation if invited else SendWelcome)(user_id))
            await storage.idempotency.keep({"id": user_id})
            user = await storage.users.by_id(user_id)
        self._metrics.user_changes.labels("created").inc()
        return user

    async def change(
        self, user_id: UUID, changes: Mapping[str, Any], principal: Principal, call: Call
    ) -> User:
        """Change what of somebody differs from `changes`; without a difference nothing happens.

        Raises UserNotFound, Forbidden, PreconditionFailed, OwnAddress, AddressTaken.
        """
        async with self._database.transaction(call.actor) as storage:
            user = await changed(storage, principal, user_id)
            call.check_version(user.version)
            _check_fields(changes, user, principal)
            if changes.get("email", user.email) != user.email:
                await _check_takeover(storage, user, principal)
            done = [
                await _change_facts(storage, user, changes),
                await _change_address(storage, user, changes.get("email", user.email)),
            ]
            after = await storage.users.by_id(user_id) if any(done) else user
        for kind in filter(None, done):
            self._metrics.user_changes.labels(kind).inc()
        return after

    async def _hashed(self, new: UserToCreate) -> str | None:
        if new.password is None:
            return None
        self._policy.check(new.password, personal=(new.email, new.first_name, new.last_name))
        return await self._hasher.hash(new.password)


async def _filters(
    storage: Storage, asked: Mapping[str, Any], principal: Principal
) -> dict[str, Any]:
    """Return the listing's filters of those that were asked for."""
    found = dict(asked)
    status = found.pop("status", None)
    if status == UserStatus.DELETED and not principal.may(Permission.USERS_DELETE):
        raise Forbidden("Only who may delete users sees the deleted ones.")
    if status:
        found[status] = True
    if "team" in found and not principal.may(Permission.TEAMS_READ):
        raise Forbidden("Only who may see every team lists its people here.")
    if "role" in found:
        found["role"] = (await _role(storage, found["role"], field="filter[role]")).id
    return found


async def _role(storage: Storage, name: str, *, field: str) -> Role:
    try:
        return await storage.roles.by_name(name)
    except RoleNotFound as error:
        raise Invalid.field(field, "There is no such role; GET /roles lists them.") from error


def _as_made(user: User, new: UserToCreate) -> User:
    """Return somebody as they were created, to who may not read what became of them."""
    return replace(
        user,
        email=new.email,
        email_verified=new.email_verified,
        first_name=new.first_name,
        last_name=new.last_name,
        profile_picture_url=None,
        locale=DEFAULT_LOCALE,
        is_active=True,
        plan=new.plan,
        roles=[new.role],
        last_login_at=None,
        version=1,
        updated_at=user.created_at,
    )


async def _check_role(storage: Storage, name: str, principal: Principal) -> None:
    """Raise Invalid for a role that is not there, Forbidden for one the caller may not give."""
    if name == BuiltInRole.USER:
        return
    caller = await standing(storage, principal, Permission.ROLES_ASSIGN)
    check_giving(caller, await _role(storage, name, field="role"))


async def _added(storage: Storage, new: UserToCreate, password_hash: str | None) -> UUID:
    try:
        return await storage.users.add(
            email=new.email,
            password_hash=password_hash,
            first_name=new.first_name,
            last_name=new.last_name,
            email_verified=new.email_verified,
            plan=new.plan,
        )
    except EmailTaken as error:
        raise AddressTaken from error


def _check_fields(changes: Mapping[str, Any], user: User, principal: Principal) -> None:
    """Raise Forbidden or OwnAddress for what is not the caller's to change."""
    if _FOR_ALL_ONLY & changes.keys() and not principal.may(Permission.USERS_UPDATE):
        raise Forbidden(
            "Your roles do not permit to set email or plan; your own address is changed at"
            " /auth/change-email."
        )
    if user.id == principal.user_id and changes.get("email", user.email) != user.email:
        raise OwnAddress


async def _check_takeover(storage: Storage, user: User, principal: Principal) -> None:
    """Raise Forbidden for who may do what the caller may not: a new address is a way in."""
    for name in user.roles or [BuiltInRole.GUEST]:
        check_permissions(principal, (await storage.roles.by_name(name)).permissions)


async def _change_facts(storage: Storage, user: User, changes: Mapping[str, Any]) -> str | None:
    facts = {name: value for name, value in changes.items() if name in _WIRE_NAMES}
    names = [_WIRE_NAMES[name] for name in facts if facts[name] != getattr(user, name)]
    if not names:
        return None
    await storage.users.change(replace(user, **facts))
    await storage.audit.note("user.changed", subject=user.id, fields=",".join(names))
    return "changed"


async def _change_address(storage: Storage, user: User, email: str) -> str | None:
    """Move somebody to an address nobody proved; both addresses get a letter, older ones die."""
    if email == user.email:
        return None
    change_id = await storage.email_changes.add_done(
        user.id,
        old_email=user.email,
        new_email=email,
        credential_version=user.credential_version,
    )
    try:
        await storage.credentials.set_email(user.id, email)
    except EmailTaken as error:
        raise AddressTaken from error
    await storage.credentials.retire_letters(user.id)
    await storage.audit.note("user.email_changed", subject=user.id, by_administrator=True)
    await storage.outbox.put(SendEmailChanged(change_id))
    credential = await storage.credentials.of_user(user.id)
    invited = credential is not None and credential.password_hash is None
    await storage.outbox.put((SendInvitation if invited else SendVerification)(user.id))
    return "email_changed"
