"""Roles and permissions: who may do what."""

from storage.roles.records import (
    ADMIN_ID,
    BuiltInRole,
    CataloguedPermission,
    Permission,
    Role,
    RoleNameTaken,
    RoleNotFound,
)
from storage.roles.repository import Roles

__all__ = [
    "ADMIN_ID",
    "BuiltInRole",
    "CataloguedPermission",
    "Permission",
    "Role",
    "RoleNameTaken",
    "RoleNotFound",
    "Roles",
]
