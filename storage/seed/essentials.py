"""What every installation needs: the built-in roles, the permissions, and who may do what.

The migrations made these rows; here they are once more, to restore what somebody deleted. A test
compares the two.
"""

from storage.roles import ADMIN_ID, BuiltInRole, Permission
from storage.seed.parts import Run, Seeder

# Name to id, rank and description.
ROLES = {
    BuiltInRole.ADMIN: (str(ADMIN_ID), 1000, "Full access to everything"),
    BuiltInRole.MANAGER: (
        "01935000-0000-7000-8000-000000000002", 500, "Manages own teams and content",
    ),
    BuiltInRole.USER: (
        "01935000-0000-7000-8000-000000000003", 100, "An ordinary signed-in person",
    ),
    BuiltInRole.GUEST: ("01935000-0000-7000-8000-000000000004", 0, "May read content"),
}  # fmt: skip

PERMISSIONS = {
    Permission.USERS_READ: "Read every user",
    Permission.USERS_READ_OWN: "Read oneself",
    Permission.USERS_CREATE: "Create users",
    Permission.USERS_UPDATE: "Change every user",
    Permission.USERS_UPDATE_TEAM: "Change members of the teams one manages",
    Permission.USERS_UPDATE_OWN: "Change oneself",
    Permission.USERS_DELETE: "Delete users",
    Permission.SESSIONS_READ: "See where every user is signed in",
    Permission.ROLES_READ: "See roles, and what they permit",
    Permission.ROLES_WRITE: "Create, change and delete roles",
    Permission.ROLES_ASSIGN: "Give roles to users and take them away",
    Permission.TEAMS_READ: "See every team",
    Permission.TEAMS_READ_OWN: "See the teams one is in",
    Permission.TEAMS_CREATE: "Create teams",
    Permission.TEAMS_MANAGE: "Change and delete every team",
    Permission.TEAMS_MANAGE_OWN: "Change and delete the teams one manages",
    Permission.CONTENT_READ: "Read content",
    Permission.CONTENT_CREATE: "Create content",
    Permission.CONTENT_UPDATE: "Change all content",
    Permission.CONTENT_UPDATE_OWN: "Change own content",
    Permission.CONTENT_DELETE: "Delete all content",
    Permission.CONTENT_DELETE_OWN: "Delete own content",
    Permission.AUDIT_READ: "Search, verify and export the audit trail",
    Permission.JOBS_READ: "See queues, jobs and periodic tasks",
    Permission.JOBS_MANAGE: "Retry, discard and replay jobs, hold queues, run periodic tasks",
    Permission.STATISTICS_READ: "See how many people, sign-ins and letters there are",
}

_OF_USERS = frozenset(
    {
        Permission.USERS_READ_OWN,
        Permission.USERS_UPDATE_OWN,
        Permission.TEAMS_READ_OWN,
        Permission.CONTENT_READ,
        Permission.CONTENT_CREATE,
        Permission.CONTENT_UPDATE_OWN,
        Permission.CONTENT_DELETE_OWN,
    }
)
_OF_MANAGERS = _OF_USERS | {
    Permission.USERS_READ,
    Permission.USERS_UPDATE_TEAM,
    Permission.ROLES_READ,
    Permission.TEAMS_READ,
    Permission.TEAMS_CREATE,
    Permission.TEAMS_MANAGE_OWN,
    Permission.CONTENT_UPDATE,
    Permission.CONTENT_DELETE,
}
MATRIX = {
    BuiltInRole.ADMIN: frozenset(Permission),
    BuiltInRole.MANAGER: _OF_MANAGERS,
    BuiltInRole.USER: _OF_USERS,
    BuiltInRole.GUEST: frozenset({Permission.CONTENT_READ}),
}

ADD_ROLE = """
INSERT INTO roles (name, id, rank, description, built_in) VALUES ($1, $2, $3, $4, true)
ON CONFLICT DO NOTHING RETURNING name
"""

ADD_PERMISSION = """
INSERT INTO permissions (name, description) VALUES ($1, $2)
ON CONFLICT DO NOTHING RETURNING name
"""

GRANT = """
INSERT INTO role_permissions (role_id, permission)
SELECT roles.id, wanted FROM roles CROSS JOIN unnest($2::text[]) AS wanted
WHERE roles.name = $1 AND roles.built_in
ON CONFLICT DO NOTHING RETURNING permission
"""


async def _add(run: Run) -> int:
    restored = [
        f"permission {name}"
        for name, description in PERMISSIONS.items()
        if await run.connection.fetchval(ADD_PERMISSION, name, description)
    ]
    for role, (role_id, rank, description) in ROLES.items():
        if await run.connection.fetchval(ADD_ROLE, role, role_id, rank, description):
            restored.append(f"role {role}")
        granted = await run.connection.fetch(GRANT, role, sorted(MATRIX[role]))
        restored += [f"{row['permission']} of {role}" for row in granted]
    for what in restored:
        run.tell(f"restored {what}")
    return len(restored)


ESSENTIALS = Seeder(help="built-in roles and permissions that are missing", add=_add)
