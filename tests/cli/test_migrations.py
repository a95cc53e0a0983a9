"""Whether a database is up to date is decided without Alembic; the two must agree."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.cli.embedded.migrations import is_current, migration_folder, newest_revisions
from app.cli.embedded.postgres import embedded_postgres


def test_the_newest_revisions_are_those_of_alembic():
    config = Config(migration_folder() / "alembic.ini")

    assert newest_revisions() == set(ScriptDirectory.from_config(config).get_heads())


async def test_an_empty_database_is_not_current(tmp_path):
    with embedded_postgres(tmp_path, durable=False) as urls:
        assert not await is_current(urls.owner)
        assert not await is_current(urls.owner.replace("postgresql://", "postgresql+asyncpg://"))
