"""The list of people: its orders and filters, each with an index (migration `people`)."""

from storage.pages import Apart, Group, Listing
from storage.users.records import COLUMNS, HELD_ROLES

LIST = Listing(
    select=f"SELECT {COLUMNS}, ({{order}})::text AS sort_value FROM {{rows}} {HELD_ROLES}",  # noqa: S608
    table="users",
    orders={
        "createdAt": "users.created_at",
        "updatedAt": "users.updated_at",
        "email": "users.email",
        "firstName": "lower(users.first_name)",
        "lastName": "lower(users.last_name)",
        "lastLoginAt": "coalesce(users.last_login_at, '-infinity')",
    },
    apart={
        sort: Apart(
            table=table, row=f"{table}.user_id", order=f"{table}.{column}", always=f"{table}.living"
        )
        for sort, table, column in (
            ("updatedAt", "user_changes", "updated_at"),
            ("lastLoginAt", "user_last_logins", "last_login_at"),
        )
    },
    groups=tuple(
        Group(
            filter=name,
            table=table,
            row=f"{table}.user_id",
            condition=f"{table}.{name}_id = $?",
            sort="createdAt",
            order=f"{table}.user_created_at",
        )
        for name, table in (("team", "team_members"), ("role", "user_roles"))
    ),
    conditions={
        "role": """EXISTS (SELECT FROM user_roles
            WHERE user_roles.user_id = users.id AND user_roles.role_id = $?)""",
        "team": """EXISTS (SELECT FROM team_members
            WHERE team_members.user_id = users.id AND team_members.team_id = $?)""",
        "active": "users.is_active AND $?",
        "suspended": "NOT users.is_active AND $?",
        "deleted": "users.deleted_at IS NOT NULL AND $?",
        "verified": "users.email_verified = $?",
        "plan": "users.plan = $?",
        "id": "users.id = ANY($?)",
        "email": "users.email = $?",
    },
    always="users.deleted_at IS NULL",
    instead=frozenset({"deleted"}),
    rare=frozenset({"deleted", "suspended"}),
    alphabetical=frozenset({"email", "firstName", "lastName"}),
    sampled="createdAt",
)
