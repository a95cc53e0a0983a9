"""Row-level security as SQL, for migrations: policies by the transaction-local setting `app.principal`."""

ROLE = "lifevault_app"

# They name each other with their schema: pg_dump works with an empty search_path.
FUNCTIONS = [
    """CREATE FUNCTION app_principal() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(current_setting('app.principal', true), '') $$""",
    """CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN public.app_principal() LIKE 'user:%' THEN substr(public.app_principal(), 6)::uuid END $$""",
    """CREATE FUNCTION app_vault() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN public.app_principal() LIKE 'vault:%' THEN substr(public.app_principal(), 7)::uuid END $$""",
    """CREATE FUNCTION app_is_system() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT public.app_principal() = 'system' $$""",
]

FAMILY_FUNCTION = """CREATE FUNCTION app_family() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN public.app_principal() LIKE 'family:%' THEN substr(public.app_principal(), 8)::uuid END $$"""

IS_SYSTEM = "(SELECT app_is_system())"
USER = "(SELECT app_user())"
VAULT = "(SELECT app_vault())"
FAMILY = "(SELECT app_family())"


def in_readable_vault(column: str = "vault_id") -> str:
    """The row's vault is one of the principal's, in whatever role."""
    return (
        f"{IS_SYSTEM} OR {column} = {VAULT} OR {column} IN "
        f"(SELECT m.vault_id FROM vault_members m WHERE m.user_id = {USER})"
    )


def in_writable_vault(column: str = "vault_id") -> str:
    """The row's vault is one that the principal may write to."""
    return (
        f"{IS_SYSTEM} OR {column} = {VAULT} OR {column} IN "
        f"(SELECT m.vault_id FROM vault_members m WHERE m.user_id = {USER} AND m.role <> 'viewer')"
    )


def protect(table: str, *, read: str, write: str | None = None, name: str | None = None) -> list[str]:
    """Statements that put a table under FORCE ROW LEVEL SECURITY and give the application's role its rights.

    `name` begins the names of the policies, where the table's own has a schema in it.
    """
    write, name = write or read, name or table
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}",
        f"CREATE POLICY {name}_read ON {table} FOR SELECT USING ({read})",
        f"CREATE POLICY {name}_insert ON {table} FOR INSERT WITH CHECK ({write})",
        f"CREATE POLICY {name}_update ON {table} FOR UPDATE USING ({write}) WITH CHECK ({write})",
        f"CREATE POLICY {name}_delete ON {table} FOR DELETE USING ({write})",
    ]
    return statements
