"""Vectors that PostgreSQL compares: found as in memory, chosen by the owner alone, gone when nobody wants them."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from alembic import command
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from app.cli import app as lifevault
from app.cli.backups.database import dump_database, load_database
from app.core.config import Settings
from app.db.runtime import current
from app.db.session import NOBODY, SYSTEM, Actor, session_scope
from app.rag import cache, tasks
from app.rag.evaluation.dataset import read_set
from app.rag.models import ShardRow
from app.rag.pgvector import table
from app.rag.pgvector.table import TABLE, ExtensionMissing, create_table
from app.vault.schemas.vaults import VaultRead
from tests.cli.test_doctor import look
from tests.conftest import application, as_superuser, at, drain_jobs
from tests.factories import TestUser, auth, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.prepared import alembic_config
from tests.rag.asking import POLICY, upload
from tests.rag.test_evaluation import SMALL

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUESTIONS = (
    "When does Lena's passport expire?",
    "How much do we pay ourselves when the car is damaged in 2026?",
    "Is a flooded cellar insured?",
    "Who gets the piano?",
    "How many days of holiday does Lena have left?",
)


@pytest.fixture
async def offered(runtime, postgres):
    """The runtime of an installation that offers it."""
    await create_table(postgres.owner, postgres.superuser)
    cache.shelf_cache(current().settings.shard_cache_bytes).clear()
    with changed_settings(vector_index="pgvector") as changed:
        yield changed


@dataclass(frozen=True)
class Papers:
    """A person's vault with documents that have been read."""

    client: httpx.AsyncClient
    settings: Settings
    owner: TestUser
    vault: VaultRead
    ids: tuple[str, ...]

    @property
    def vault_id(self) -> UUID:
        return self.vault.id

    async def choose(self, mode: str, *, who: TestUser | None = None, vault_id: UUID | None = None) -> httpx.Response:
        path = f"/v1/rag/vaults/{vault_id or self.vault_id}/index"
        response = await self.client.put(path, json={"mode": mode}, headers=auth(who or self.owner))
        await drain_jobs(self.settings)
        return response

    async def index(self) -> dict[str, Any]:
        path = f"/v1/rag/vaults/{self.vault_id}/index"
        return (await self.client.get(path, headers=auth(self.owner))).raise_for_status().json()

    async def search(self, question: str, limit: int = 10) -> list[dict[str, Any]]:
        asked = {"query": question, "limit": limit}
        response = await self.client.post("/v1/rag/search", json=asked, headers=auth(self.owner))
        return response.raise_for_status().json()["hits"]

    async def send(self, method: str, path: str, json: Any = None) -> httpx.Response:
        response = await self.client.request(method, f"/v1/vault/{path}", json=json, headers=auth(self.owner))
        return response.raise_for_status()


@pytest.fixture
async def client(offered):
    """HTTP to the application of an installation that offers it."""
    transport = httpx.ASGITransport(application(offered.settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield client


async def papers_of(client, settings, texts: dict[str, str]) -> Papers:
    owner = await make_user()
    vault = await make_vault(owner)
    ids = [(await upload(client, owner, vault.id, text=body, name=name))["id"] for name, body in texts.items()]
    await drain_jobs(settings)
    return Papers(client, settings, owner, vault, tuple(ids))


@pytest.fixture
async def papers(client, settings) -> Papers:
    return await papers_of(
        client, settings, {"Car insurance 2026.txt": POLICY, "Note.txt": "The key is below the pot."}
    )


async def counted(vault_id: UUID, actor: Actor = SYSTEM) -> int:
    async with session_scope(actor) as session:
        statement = text(f"SELECT count(*) FROM {TABLE} WHERE vault_id = :vault")
        return int(await session.scalar(statement, {"vault": vault_id}) or 0)


def kept(vault_id: UUID) -> list[bool]:
    """Of the vault's shelves in memory, whether they are without vectors."""
    held = cache.shelf_cache(current().settings.shard_cache_bytes)._kept
    return [shelf.is_bare for key, (_, shelves, _) in held.items() if key[0] == vault_id for shelf in shelves]


async def test_the_same_is_found_in_the_same_order_as_in_memory(client, settings):
    documents = read_set(SMALL).documents
    papers = await papers_of(client, settings, {f"{each.title}.txt": each.text for each in documents})
    in_memory = [await papers.search(question) for question in QUESTIONS]
    assert kept(papers.vault_id) == [False]

    assert (await papers.choose("pgvector")).json()["mode"] == "pgvector"

    assert (await papers.index())["in_clear"] == len(documents)
    cache.shelf_cache(current().settings.shard_cache_bytes).clear()
    for question, expected in zip(QUESTIONS, in_memory, strict=True):
        found = await papers.search(question)
        places = [[(hit["document_id"], hit["start"], hit["end"]) for hit in hits] for hits in (found, expected)]
        assert len(places[0]) == 10
        assert places[0] == places[1], question
        assert [hit["score"] for hit in found] == pytest.approx([hit["score"] for hit in expected], abs=0.01)
    assert kept(papers.vault_id) == [True]


async def test_an_answer_quotes_what_it_quotes_from_memory(papers: Papers):
    question = {"question": "What is the excess for a comprehensive claim on the car insurance?"}

    async def ask() -> dict[str, Any]:
        response = await papers.client.post("/v1/rag/ask", json=question, headers=auth(papers.owner))
        return response.raise_for_status().json()

    before = await ask()
    await papers.choose("pgvector")
    after = await ask()

    assert after["found"] is True
    assert after["citations"] == before["citations"]


async def test_documents_that_are_not_copied_yet_are_compared_in_memory(papers: Papers):
    await papers.choose("pgvector")
    late = await upload(papers.client, papers.owner, papers.vault_id, text="The boat lies at pier 9.", name="Boat.txt")
    await drain_jobs(papers.settings)

    assert (await papers.index())["in_clear"] == 2
    assert (await papers.search("Where does the boat lie?"))[0]["document_id"] == late["id"]
    assert sorted(kept(papers.vault_id)) == [False, True]

    assert await tasks.store_vectors() >= 1
    assert (await papers.index())["in_clear"] == 3
    assert (await papers.search("Where does the boat lie?"))[0]["document_id"] == late["id"]


async def test_sealed_again_nothing_stands_in_clear_at_once_and_all_is_found(papers: Papers):
    await papers.choose("pgvector")
    assert await counted(papers.vault_id) > 2

    response = await papers.client.put(
        f"/v1/rag/vaults/{papers.vault_id}/index", json={"mode": "sealed"}, headers=auth(papers.owner)
    )

    assert (response.json()["mode"], response.json()["in_clear"]) == ("sealed", 0)
    assert await counted(papers.vault_id) == 0
    assert (await papers.search("Where is the key?"))[0]["document_id"] == papers.ids[1]


async def test_only_the_owner_chooses_and_the_log_says_so(papers: Papers):
    admin = await make_member(papers.vault, role="admin")

    refused = await papers.choose("pgvector", who=admin)
    hidden = await papers.choose("pgvector", who=await make_user())
    malformed = await papers.choose("open")
    await papers.choose("pgvector")
    await papers.choose("pgvector")

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/role-too-low")
    assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/vault-not-found")
    assert malformed.status_code == 422
    entries = await papers.client.get(f"/v1/audit/vaults/{papers.vault_id}/entries", headers=auth(papers.owner))
    acts = [(each["action"], each["ids"]) for each in entries.json()["items"] if each["action"].startswith("rag.")]
    assert acts == [("rag.index_chosen", {"mode": "pgvector"})]


async def test_an_installation_without_it_refuses(papers: Papers):
    with changed_settings(vector_index="sealed"):
        missing = await papers.choose("pgvector")

    assert (missing.status_code, missing.json()["type"]) == (409, "/problems/pgvector-not-offered")
    assert await counted(papers.vault_id) == 0


async def test_vectors_go_with_their_document_and_with_their_vault(papers: Papers):
    await papers.choose("pgvector")
    before = await counted(papers.vault_id)

    await papers.send("DELETE", f"documents/{papers.ids[1]}")
    await papers.send("POST", f"documents/{papers.ids[1]}/purge")
    await drain_jobs(papers.settings)
    between = await counted(papers.vault_id)
    await papers.send("DELETE", f"vaults/{papers.vault_id}")
    await papers.send("POST", f"vaults/{papers.vault_id}/purge")
    await drain_jobs(papers.settings)

    assert before > between > 0
    assert await counted(papers.vault_id) == 0


async def test_a_new_version_takes_the_place_of_the_old_one(papers: Papers):
    await papers.choose("pgvector")
    path = f"/v1/vault/documents/{papers.ids[1]}/versions"
    files = {"file": ("Note.txt", b"The key hangs behind the clock.", "text/plain")}
    (await papers.client.post(path, files=files, headers=auth(papers.owner))).raise_for_status()
    await drain_jobs(papers.settings)
    assert (await papers.index())["in_clear"] == 1

    await tasks.store_vectors()

    assert (await papers.index())["in_clear"] == 2
    assert "clock" in (await papers.search("Where is the key?"))[0]["text"]


@pytest.mark.parametrize("wanted", [True, False], ids=["wanted there too", "not wanted there"])
async def test_a_moved_document_leaves_nothing_and_comes_to_stand_as_the_new_vault_wants(papers: Papers, wanted: bool):
    other = await make_vault(papers.owner, name="Other")
    await papers.choose("pgvector")
    await papers.choose("pgvector" if wanted else "sealed", vault_id=other.id)
    before = await counted(papers.vault_id)

    await papers.send("POST", f"documents/{papers.ids[1]}/move", {"vault_id": str(other.id)})
    assert await counted(papers.vault_id) < before
    assert await counted(other.id) == 0
    await drain_jobs(papers.settings)
    await tasks.store_vectors()

    assert (await counted(other.id) > 0) is wanted
    assert (await papers.search("Where is the key?"))[0]["document_id"] == papers.ids[1]


async def test_another_data_key_changes_nothing(papers: Papers):
    await papers.choose("pgvector")
    before, found = await counted(papers.vault_id), await papers.search("Where is the key?")

    await papers.send("POST", f"vaults/{papers.vault_id}/rotate-key")
    await drain_jobs(papers.settings)

    assert await counted(papers.vault_id) == before
    assert await papers.search("Where is the key?") == found


async def test_switched_off_for_the_installation_every_copy_goes_and_nothing_else_is_missed(papers: Papers):
    await papers.choose("pgvector")

    with changed_settings(vector_index="sealed"):
        assert (await papers.search("Where is the key?"))[0]["document_id"] == papers.ids[1]
        assert await tasks.store_vectors() >= 2
        state = await papers.index()

    assert (state["mode"], state["offered"], state["in_clear"]) == ("pgvector", False, 0)
    assert await counted(papers.vault_id) == 0


async def test_row_security_shows_vectors_to_members_only(papers: Papers):
    await papers.choose("pgvector")
    stranger = await make_user()

    assert await counted(papers.vault_id, Actor.user(papers.owner.id)) > 0
    assert await counted(papers.vault_id, Actor.user(stranger.id)) == 0
    assert await counted(papers.vault_id, NOBODY) == 0


async def test_nobody_but_the_owner_can_have_vectors_stand_in_clear(papers: Papers):
    """The database itself refuses a copy for a vault whose owner has not chosen it."""
    async with session_scope() as session:
        row = (await session.execute(select(ShardRow.id, ShardRow.revision).where(_of(papers)))).first()
    statement = text("INSERT INTO rag_vector_sets (revision, version_id, vault_id) VALUES (:revision, :id, :vault)")
    with pytest.raises(DBAPIError, match="fk_rag_vector_sets_vault_id"):
        async with session_scope() as session:
            await session.execute(statement, {"revision": row.revision, "id": row.id, "vault": papers.vault_id})


def _of(papers: Papers) -> Any:
    return ShardRow.vault_id == papers.vault_id


async def test_the_place_is_made_once_and_the_migrations_do_not_mind_it(own_database, postgres):
    url = own_database.settings.migration_url
    name = url.rpartition("/")[2]
    with pytest.raises(ExtensionMissing, match="CREATE EXTENSION vector"):
        await create_table(url)
    _, before = await look(own_database.settings, vector_index="pgvector")

    assert await create_table(url, at(postgres.superuser, name)) is True
    assert await create_table(url) is False

    assert before["extensions"] == (
        "failed",
        "vectors have no place in the database: run lifevault migrate, or set LIFEVAULT_VECTOR_INDEX=sealed",
    )
    assert (await look(own_database.settings, vector_index="pgvector"))[1]["extensions"][0] == "ok"
    await asyncio.to_thread(command.check, alembic_config(url))


async def test_the_command_that_migrates_makes_the_place_or_says_why_not(own_database, postgres):
    name = own_database.settings.migration_url.rpartition("/")[2]

    def migrate(url: str) -> tuple[int, str]:
        environment = {
            "LIFEVAULT_DATABASE_URL": url,
            "LIFEVAULT_VECTOR_INDEX": "pgvector",
            "LIFEVAULT_ENVIRONMENT": "test",
        }
        result = CliRunner().invoke(lifevault, ["migrate"], env=environment)
        return result.exit_code, result.output

    refused, why = await asyncio.to_thread(migrate, own_database.settings.migration_url)
    done, _ = await asyncio.to_thread(migrate, at(postgres.superuser, name))

    assert (refused, "have a superuser run `CREATE EXTENSION vector`" in why) == (1, True)
    assert done == 0
    assert await create_table(own_database.settings.migration_url) is False


async def test_without_its_place_nothing_breaks_and_nothing_is_copied(own_database):
    with changed_settings(vector_index="pgvector"):
        assert await tasks.store_vectors() == 0


def test_an_extension_that_is_too_old_is_named():
    with pytest.raises(ExtensionMissing, match=r"0\.6\.2; 0\.7 is needed"):
        table._check_version({"version": "0.6.2"})
    table._check_version({"version": "0.10.0"})


async def test_a_backup_holds_no_vectors_and_a_restored_one_copies_them_again(
    own_database, postgres, settings, tmp_path
):
    url = own_database.settings.migration_url
    await create_table(url, at(postgres.superuser, url.rpartition("/")[2]))
    with changed_settings(vector_index="pgvector") as changed:
        transport = httpx.ASGITransport(application(changed.settings), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
            papers = await papers_of(client, changed.settings, {"Note.txt": "The key is below the pot."})
            await papers.choose("pgvector")
            assert await counted(papers.vault_id) > 0
    await asyncio.to_thread(dump_database, url, tmp_path / "dump")
    name = f"restored_{own_database.settings.migration_url.rpartition('_')[2]}"
    await as_superuser(postgres, f"CREATE DATABASE {name} OWNER lifevault_owner")

    await asyncio.to_thread(load_database, at(postgres.owner, name), tmp_path / "dump")

    connection = await asyncpg.connect(at(postgres.superuser, name))
    tables = ("rag_vector_choices", "rag_vector_sets", "rag_shards")
    counts = [await connection.fetchval(f"SELECT count(*) FROM {each}") for each in tables]
    place = await connection.fetchval("SELECT to_regclass($1)", TABLE)
    await connection.close()
    await as_superuser(postgres, f"DROP DATABASE {name}")
    assert (counts, place) == ([1, 0, 1], None)
