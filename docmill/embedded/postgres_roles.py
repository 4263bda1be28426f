"""The roles of the embedded database: one owns the tables, another reads and writes them, neither is a superuser.

The cluster's first role is a superuser, as initdb makes it; it only sets up these two. In homes of earlier versions it
owned the tables and ran the service: what it owns in the schema is handed over at the start.
"""

from typing import Any

OWNER, SERVICE = "docmill_owner", "docmill_service"

_HAND_OVER = """
DO $$
DECLARE entry record;
BEGIN
    FOR entry IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
            AND c.relowner <> {owner_name}::regrole
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO {owner}', entry.name);
    END LOOP;
    FOR entry IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> {owner_name}::regrole
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO {owner}', entry.name);
    END LOOP;
END $$
"""
_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "ALTER DATABASE {database} OWNER TO {owner}",
    "ALTER SCHEMA public OWNER TO {owner}",
    _HAND_OVER,
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {service}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {service}",
)


def make_roles(connection: Any, database: str, owner_password: str, service_password: str) -> None:
    """Make the roles with these passwords, and give them what is theirs in `database`.

    `connection` is a superuser's, in autocommit, to that database. Safe to run again.
    """
    from psycopg import sql  # most commands need no database

    for role, password in ((OWNER, owner_password), (SERVICE, service_password)):
        named = {"role": sql.Identifier(role), "password": sql.Literal(password)}
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {role} LOGIN").format(**named))
        connection.execute(
            sql.SQL(
                "ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {password}"
            ).format(**named)
        )
    names = {
        "database": sql.Identifier(database),
        "owner": sql.Identifier(OWNER),
        "owner_name": sql.Literal(OWNER),
        "service": sql.Identifier(SERVICE),
    }
    for statement in _STATEMENTS:
        connection.execute(sql.SQL(statement).format(**names))
