"""Where vectors stand in PostgreSQL: a schema of its own, made when an installation wants it, not by the migrations.

They have to work without the extension. Backups leave the schema out, and what it holds is made anew.
"""

from typing import TYPE_CHECKING, Any, Final

from app.db.security import ROLE, in_readable_vault, in_writable_vault, protect

if TYPE_CHECKING:
    import asyncpg

SCHEMA: Final = "lifevault_vectors"
TABLE: Final = f"{SCHEMA}.vectors"
OLDEST: Final = (0, 7)
"""The first version of the extension with `halfvec`."""
ADVICE: Final = "or set LIFEVAULT_VECTOR_INDEX=sealed"
FIND: Final = """SELECT n.nspname AS schema, e.extversion AS version FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"""
# The functions name the extension's schema once, so that nothing depends on a search_path. They are inlined. Sets of
# vectors that stood here before somebody dropped the schema are copied again.
CREATE: Final = f"""
CREATE SCHEMA {SCHEMA};
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
CREATE FUNCTION {SCHEMA}.as_vector(numbers text) RETURNS %(schema)s.halfvec
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN numbers::%(schema)s.halfvec;
CREATE FUNCTION {SCHEMA}.product(one %(schema)s.halfvec, other %(schema)s.halfvec) RETURNS real
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN -(one OPERATOR(%(schema)s.<#>) other)::real;
CREATE TABLE {TABLE} (
    revision uuid NOT NULL REFERENCES public.rag_vector_sets (revision) ON DELETE CASCADE,
    number integer NOT NULL,
    vault_id uuid NOT NULL,
    vector %(schema)s.halfvec NOT NULL,
    PRIMARY KEY (revision, number)
) WITH (toast_tuple_target = 8160);
ALTER TABLE {TABLE} ALTER COLUMN vector SET STORAGE MAIN;
SELECT set_config('app.principal', 'system', true);
DELETE FROM public.rag_vector_sets;
"""  # noqa: S608  names of ours


class ExtensionMissing(Exception):
    """PostgreSQL can't compare vectors, and why; says what to do about it."""


async def create_table(url: str, superuser_url: str | None = None) -> bool:
    """Make what is missing, extension included; returns whether anything was. Raises `ExtensionMissing`.

    `url` is that of the owner of the tables. `superuser_url` is only needed where it may not create the extension.
    """
    import asyncpg  # noqa: PLC0415  only needed where vectors stand in PostgreSQL

    connection = await asyncpg.connect(url, timeout=30, statement_cache_size=0)
    try:
        if await connection.fetchval("SELECT to_regclass($1)", TABLE) is not None:
            return False
        found = await connection.fetchrow(FIND)
        if found is None:
            await _create_extension(superuser_url or url, connection)
            found = await connection.fetchrow(FIND)
        _check_version(found)
        schema = await connection.fetchval("SELECT quote_ident($1)", found["schema"])
        async with connection.transaction():
            await connection.execute(CREATE % {"schema": schema})
            for statement in protect(TABLE, read=in_readable_vault(), write=in_writable_vault(), name="vectors"):
                await connection.execute(statement)
    finally:
        await connection.close()
    return True


async def _create_extension(url: str, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    import asyncpg  # noqa: PLC0415  as above

    if not await connection.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        raise ExtensionMissing(
            f"This PostgreSQL does not have the extension vector (pgvector): install it there, {ADVICE}."
        )
    mighty = await asyncpg.connect(url, timeout=30, statement_cache_size=0)
    try:
        await mighty.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    except asyncpg.InsufficientPrivilegeError:
        raise ExtensionMissing(
            f"The owner of the tables may not create the extension vector: have a superuser run "
            f"`CREATE EXTENSION vector` in this database, {ADVICE}."
        ) from None
    finally:
        await mighty.close()


def _check_version(found: Any) -> None:
    version = tuple(int(part) for part in found["version"].split(".")[:2])
    if version < OLDEST:
        raise ExtensionMissing(
            f"The extension vector is {found['version']}; {'.'.join(map(str, OLDEST))} is needed: update it, {ADVICE}."
        )
