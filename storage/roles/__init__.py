"""Roles and permissions: who may do what."""

from storage.roles.records import (
    BuiltInRole,
    CataloguedPermission,
    Permission,
    Role,
    RoleNameTaken,
    RoleNotFound,
)
from storage.roles.repository import Roles

__all__ = [
    "BuiltInRole",
    "CataloguedPermission",
    "Permission",
    "Role",
    "RoleNameTaken",
    "RoleNotFound",
    "Roles",
]
