"""Who may touch which table: the API's role, the workers' role, the owner.

Applied after every migration, so that a new table is never forgotten. What each role may do is
spelled out where it is less than everything.
"""

from typing import Any

# The audit inbox is append-only for the API: it writes events and shows them, no more. Only the
# workers' role seals, and not even it changes what is sealed.
_API_RESTRICTED = {
    "audit_inbox": "SELECT, INSERT",
    "audit_ledger": "SELECT",
    "audit_personal": "SELECT",
    "audit_checkpoints": "SELECT",
}
_WORKER_RESTRICTED = {
    "audit_ledger": "SELECT, INSERT",
    "audit_personal": "SELECT, INSERT, DELETE",
    "audit_checkpoints": "SELECT, INSERT",
}
# What the workers' role may ask the owner for.
_WORKER_FUNCTIONS = (
    "make_audit_partition(date)",
    "audit_months_in_rest()",
    "drop_audit_partition(date)",
    "drop_audit_checkpoints(integer)",
)
_EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"

TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition
"""

QUOTED = "SELECT quote_ident($1), EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"


async def grant(connection: Any, *, owner: str, api: str, worker: str) -> None:
    """Grant each role what it needs; a role that owns the tables keeps what it has."""
    for role, restricted in ((api, _API_RESTRICTED), (worker, _WORKER_RESTRICTED)):
        if role not in {"", owner}:
            await _grant_role(connection, role, restricted)
    if worker not in {"", owner}:
        await _grant_functions(connection, worker)


async def _grant_role(connection: Any, role: str, restricted: dict[str, str]) -> None:
    name, exists = await connection.fetchrow(QUOTED, role)
    if not exists:
        return
    async with connection.transaction():
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
        for row in await connection.fetch(TABLES):
            table = row["relname"]
            rights = restricted.get(table, _EVERYTHING)
            if table == "schema_migrations":
                rights = "SELECT"
            await connection.execute(f'REVOKE ALL ON "{table}" FROM {name}')
            await connection.execute(f'GRANT {rights} ON "{table}" TO {name}')


async def _grant_functions(connection: Any, role: str) -> None:
    name, exists = await connection.fetchrow(QUOTED, role)
    for function in _WORKER_FUNCTIONS if exists else ():
        if await connection.fetchval("SELECT to_regprocedure($1)", function):
            await connection.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {name}")
