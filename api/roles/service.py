"""Rules of roles: nobody gives what they do not have."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from api.context import Call, Principal
from api.ids import is_id
from api.problems import Invalid
from api.roles.rules import (
    AdminKeepsAll,
    BuiltInFixed,
    RoleInUse,
    check_giving,
    check_permissions,
    check_rank_of,
    standing,
)
from api.users.closing import spare_last_admin
from api.users.reach import check_rank, check_sight
from ops.metrics import Metrics
from storage.database import Database
from storage.pages import Page, Window
from storage.repositories import Storage
from storage.roles import BuiltInRole, CataloguedPermission, Permission, Role, RoleNotFound
from storage.users import User, UserNotFound

# Also keeps out what PostgreSQL would refuse.
NAME = re.compile(r"[a-z][a-z0-9_-]{1,49}", re.ASCII)
HIGHEST_OWN_RANK = 999

_COUNTED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRole:
    """A role somebody makes."""

    name: str
    rank: int
    description: str = ""
    permissions: Sequence[str] = ()


class RoleService:
    """Manages roles and who has them."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._changes = metrics.role_changes

    async def catalogue(self) -> list[CataloguedPermission]:
        """Return every permission there is."""
        async with self._database.reading() as storage:
            return await storage.roles.catalogue()

    async def page(self, window: Window) -> Page[Role]:
        """Return a part of the list of roles."""
        async with self._database.reading() as storage:
            return await storage.roles.page(window)

    async def get(self, named: str) -> Role:
        """Return a role by id or name; raise RoleNotFound."""
        async with self._database.reading() as storage:
            return await _found(storage, named)

    async def create(self, new: NewRole, principal: Principal, call: Call) -> Role:
        """Make a role; raise Forbidden for one above the caller's own rights, RoleNameTaken."""
        if call.claim and call.claim.result:
            return await self.get(call.claim.result["id"])
        async with self._database.transaction(call.actor) as storage:
            caller = await standing(storage, principal, Permission.ROLES_WRITE)
            check_rank_of(caller, new.rank)
            check_permissions(caller, new.permissions)
            role = await storage.roles.add(
                name=new.name,
                description=new.description,
                rank=new.rank,
                permissions=new.permissions,
            )
            await storage.audit.note(
                "role.created",
                subject=role.id,
                role=role.name,
                rank=role.rank,
                added=",".join(role.permissions),
            )
            await storage.idempotency.keep({"id": role.id})
        self._changes.labels("created").inc()
        return role

    async def change(
        self, named: str, given: Mapping[str, Any], principal: Principal, call: Call
    ) -> Role:
        """Make of a role what is given, and leave the rest of it.

        Raises RoleNotFound, Forbidden for what is above the caller's own rights, BuiltInFixed,
        AdminKeepsAll, RoleNameTaken, PreconditionFailed. What changes nothing leaves no trace.
        """
        async with self._database.transaction(call.actor) as storage:
            caller = await standing(storage, principal, Permission.ROLES_WRITE)
            role = await _changeable(storage, named, caller, call)
            wanted = _wanted(role, given)
            changed = [name for name in given if getattr(wanted, name) != getattr(role, name)]
            if not changed:
                return role
            added = set(wanted.permissions) - set(role.permissions)
            removed = set(role.permissions) - set(wanted.permissions)
            _check_built_in(role, changed, removed)
            check_rank_of(caller, wanted.rank)
            check_permissions(caller, added)
            found = await storage.roles.change(
                role.id,
                name=wanted.name,
                description=wanted.description,
                rank=wanted.rank,
                permissions=wanted.permissions,
            )
            await storage.audit.note(
                "role.changed",
                subject=role.id,
                role=role.name,
                fields=",".join(sorted(changed)),
                added=",".join(sorted(added)),
                removed=",".join(sorted(removed)),
                **_became(role, found),
            )
        self._changes.labels("changed").inc()
        return found

    async def remove(self, named: str, principal: Principal, call: Call) -> None:
        """Delete a role nobody has.

        Raises RoleNotFound, Forbidden, BuiltInFixed, RoleInUse, PreconditionFailed.
        """
        async with self._database.transaction(call.actor) as storage:
            caller = await standing(storage, principal, Permission.ROLES_WRITE)
            role = await _changeable(storage, named, caller, call)
            if role.built_in:
                raise BuiltInFixed
            await storage.roles.lock_out(role.id)
            if count := await storage.roles.holders(role.id, limit=_COUNTED + 1):
                raise RoleInUse(_in_use(count))
            await storage.roles.remove(role.id)
            await storage.audit.note("role.deleted", subject=role.id, role=role.name)
        self._changes.labels("deleted").inc()

    async def give(self, user_id: UUID, named: str, principal: Principal, call: Call) -> User:
        """Give a person a role, return them; a second time nothing happens.

        Raises UserNotFound, RoleNotFound, PreconditionFailed, and Forbidden for a role above the
        caller's own rights or a person of higher rank.
        """
        async with self._database.transaction(call.actor) as storage:
            caller = await standing(storage, principal, Permission.ROLES_ASSIGN)
            role, _ = await _found(storage, named), await _reached(storage, caller, user_id, call)
            check_giving(caller, role)
            given = await storage.roles.give(user_id, role.id)
            if given:
                await storage.audit.note(
                    "user.role_given", subject=user_id, role=role.name, role_id=str(role.id)
                )
            user = await storage.users.by_id(user_id)
        if given:
            self._changes.labels("given").inc()
        return user

    async def take(self, user_id: UUID, named: str, principal: Principal, call: Call) -> User:
        """Take a role away from a person, return them; a second time nothing happens.

        Raises UserNotFound, RoleNotFound, Forbidden for a person of higher rank,
        PreconditionFailed, LastAdmin.
        """
        async with self._database.transaction(call.actor) as storage:
            caller = await standing(storage, principal, Permission.ROLES_ASSIGN)
            role, user = (
                await _found(storage, named),
                await _reached(storage, caller, user_id, call),
            )
            if role.name == BuiltInRole.ADMIN:
                await spare_last_admin(storage, user.id)
            taken = await storage.roles.take(user_id, role.id)
            if taken:
                await storage.audit.note(
                    "user.role_taken", subject=user_id, role=role.name, role_id=str(role.id)
                )
            user = await storage.users.by_id(user_id)
        if taken:
            self._changes.labels("taken").inc()
        return user


async def _found(storage: Storage, named: str) -> Role:
    """Return a role by what a path names it: its id, else its name; raise RoleNotFound."""
    if is_id(named):
        return await storage.roles.by_id(UUID(named))
    if NAME.fullmatch(named):
        return await storage.roles.by_name(named)
    raise RoleNotFound


async def _changeable(storage: Storage, named: str, caller: Principal, call: Call) -> Role:
    """Return a role the caller may change, which under the lock of `standing` nobody else does.

    Raises RoleNotFound, Forbidden, PreconditionFailed.
    """
    role = await _found(storage, named)
    check_rank_of(caller, role.rank)
    call.check_version(role.version)
    return role


async def _reached(storage: Storage, caller: Principal, user_id: UUID, call: Call) -> User:
    """Lock a person whose roles the caller may change.

    Raises UserNotFound, Forbidden, PreconditionFailed.
    """
    check_sight(caller, user_id)
    if not await storage.credentials.lock(user_id):
        raise UserNotFound
    user = await storage.users.by_id(user_id)
    check_rank(caller, user.rank)
    call.check_version(user.version)
    return user


def _became(before: Role, after: Role) -> dict[str, Any]:
    """Return what of a role's name and rank is another now, and which rank it had."""
    facts: dict[str, Any] = {}
    if after.name != before.name:
        facts["name"] = after.name
    if after.rank != before.rank:
        facts |= {"rank": after.rank, "rank_before": before.rank}
    return facts


def _wanted(role: Role, given: Mapping[str, Any]) -> Role:
    """Return the role as it is wanted; raise Invalid for a rank only `admin` has."""
    wanted = replace(role, **given)
    if not role.built_in and wanted.rank > HIGHEST_OWN_RANK:
        raise Invalid.field("rank", f"Send a number from 0 to {HIGHEST_OWN_RANK}.")
    return wanted


def _check_built_in(role: Role, changed: list[str], removed: set[str]) -> None:
    if role.built_in and not {"name", "rank"}.isdisjoint(changed):
        raise BuiltInFixed
    if role.name == BuiltInRole.ADMIN and removed:
        raise AdminKeepsAll


def _in_use(count: int) -> str:
    have = "1 user has" if count == 1 else f"{count:,} users have"
    if count > _COUNTED:
        have = f"More than {_COUNTED:,} users have"
    return f"{have} this role. Take it away from them first."
