"""The schema: where its scripts are, and whether a database has them all."""

import ast
from pathlib import Path

import app
from app.cli.embedded.errors import EmbeddedError

ORDER = ("revision", "down_revision")


def migration_folder() -> Path:
    """The folder of `alembic.ini`: the project's root, or inside the package when it was installed from a wheel."""
    package = Path(app.__file__).resolve().parent
    for folder in (package.parent, package / "_schema"):
        if (folder / "alembic.ini").is_file() and (folder / "alembic" / "env.py").is_file():
            return folder
    raise EmbeddedError(f"alembic.ini was found neither in {package.parent} nor in {package / '_schema'}.")


def upgrade_arguments() -> tuple[str, ...]:
    """What Python runs to bring the database of the settings to the newest revision."""
    ini = migration_folder() / "alembic.ini"
    return ("-m", "alembic", "-c", str(ini), "upgrade", "head")


def newest_revisions() -> set[str]:
    """The heads of the scripts, read without importing them (which would cost half a second of each start)."""
    revisions: set[str] = set()
    parents: set[str] = set()
    for script in (migration_folder() / "alembic" / "versions").glob("*.py"):
        values = _assignments(script)
        revisions.add(str(values["revision"]))
        below = values.get("down_revision") or ()
        parents.update([below] if isinstance(below, str) else map(str, below if isinstance(below, tuple) else ()))
    return revisions - parents


async def is_current(url: str) -> bool:
    """Whether the database stands at the newest revision. Raises `EmbeddedError` if it can't be asked."""
    import asyncpg  # noqa: PLC0415  not needed by the other commands

    try:
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://", 1), timeout=30)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise EmbeddedError(f"The database can't be reached: {type(error).__name__}: {error}") from error
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return False
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()
    return {row["version_num"] for row in rows} == newest_revisions()


def _assignments(script: Path) -> dict[str, object]:
    values: dict[str, object] = {}
    for node in ast.parse(script.read_bytes()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant | ast.Tuple):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name) and target.id in ORDER]
            values |= {name: ast.literal_eval(node.value) for name in names}
    return values
