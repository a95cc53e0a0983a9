"""Files, vector stores and embeddings by the official Python client, against a live server."""

import base64
from uuid import uuid4

import httpx
import numpy as np
import openai
import pytest
from openai.types import FileObject, VectorStore, VectorStoreSearchResponse
from openai.types.vector_stores import VectorStoreFile

from app.core.config import Settings
from tests.agents.core.people import Home
from tests.agents.faces.clients import client_of, key_of
from tests.conftest import drain_jobs
from tests.factories import make_user, make_vault

TEXT = b"The passport of Ada Lovelace expires on 31 May 2031. It was issued in London.\n"


async def test_a_file_becomes_a_document_that_is_searched_read_and_deleted(
    client: httpx.AsyncClient, settings: Settings, url: str, home: Home
):
    async with client_of(url, await key_of(client, home)) as ai:
        made = await ai.files.create(file=("passport.txt", TEXT), purpose="assistants")
        store = str(home.vault.id)
        placed = await ai.vector_stores.files.create(store, file_id=made.id)
        await drain_jobs(settings)
        read = await ai.files.retrieve(made.id)
        content = await ai.files.content(made.id)
        listed = [file.id async for file in ai.files.list(limit=1)]
        inside = [file.id async for file in ai.vector_stores.files.list(store, limit=1)]
        state = await ai.vector_stores.files.retrieve(made.id, vector_store_id=store)
        found = (await ai.vector_stores.search(store, query="When does the passport expire?")).data
        none = await ai.vector_stores.search(store, query="x", ranking_options={"score_threshold": 1.0})
        vault = await ai.vector_stores.retrieve(store)
        deleted = await ai.files.delete(made.id)
        with pytest.raises(openai.NotFoundError) as gone:
            await ai.files.retrieve(made.id)

    FileObject.model_validate(read.model_dump())
    VectorStore.model_validate(vault.model_dump())
    VectorStoreFile.model_validate(state.model_dump())
    assert (made.status, read.status, made.filename, made.bytes) == ("uploaded", "processed", "passport.txt", len(TEXT))
    assert (placed.status, state.status, content.content) == ("in_progress", "completed", TEXT)
    assert (listed[0], len(listed), len(inside)) == (made.id, 2, 2)
    assert (vault.file_counts.total, vault.file_counts.completed, vault.status) == (2, 2, "completed")
    best = VectorStoreSearchResponse.model_validate(found[0].model_dump())
    place = f"/v1/rag/documents/{best.file_id}/pages/{int(best.attributes['page'])}"
    assert best.file_id == made.id
    assert (deleted.deleted, gone.value.code, none.data) == (True, "document_not_found", [])
    page = await client.get(place, headers=home.headers)
    assert page.status_code == 404


async def test_a_passage_is_exactly_what_stands_on_the_page(client: httpx.AsyncClient, url: str, home: Home):
    async with client_of(url, home.owner.access_token) as ai:
        found = (await ai.vector_stores.search(str(home.vault.id), query="hail excess", max_num_results=3)).data

    for hit in found:
        page = await client.get(f"/v1/rag/documents/{hit.file_id}/pages/{hit.attributes['page']}", headers=home.headers)
        begin, end = int(hit.attributes["start"]), int(hit.attributes["end"])
        assert page.json()["text"][begin:end] == hit.content[0].text
    assert found


async def test_a_vault_is_named_when_there_are_several_and_a_stranger_finds_none(
    client: httpx.AsyncClient, url: str, home: Home
):
    other = await make_vault(home.owner, name="Second")
    async with client_of(url, home.owner.access_token) as ai:
        with pytest.raises(openai.BadRequestError) as unclear:
            await ai.files.create(file=("a.txt", TEXT), purpose="assistants")
        made = await ai.files.create(
            file=("a.txt", TEXT), purpose="user_data", extra_body={"vault_id": str(home.vault.id)}
        )
        with pytest.raises(openai.ConflictError):
            await ai.vector_stores.files.create(str(other.id), file_id=made.id)
        created = await ai.vector_stores.create(name="Third")
        names = [store.name async for store in ai.vector_stores.list(limit=2)]
    stranger = (await make_user()).access_token
    async with client_of(url, stranger) as ai:
        store = str(home.vault.id)
        for refused in (
            lambda: ai.files.retrieve(made.id),
            lambda: ai.files.content(made.id),
            lambda: ai.files.delete(made.id),
            lambda: ai.vector_stores.retrieve(store),
            lambda: ai.vector_stores.search(store, query="passport"),
            lambda: ai.vector_stores.files.retrieve(made.id, vector_store_id=store),
            lambda: ai.vector_stores.files.create(store, file_id=made.id),
            lambda: ai.files.create(file=("a.txt", TEXT), purpose="assistants", extra_body={"vault_id": store}),
        ):
            with pytest.raises(openai.NotFoundError):
                await refused()
        assert [file async for file in ai.files.list()] == []
    async with client_of(url, await key_of(client, home, "vault:read")) as ai:
        with pytest.raises(openai.PermissionDeniedError):
            await ai.files.delete(made.id)

    assert (unclear.value.code, created.file_counts.total) == ("vault_needed", 0)
    assert names == ["Third", "Second", home.vault.name]


async def test_vectors_are_the_same_as_numbers_and_as_base64(url: str, home: Home):
    async with client_of(url, home.owner.access_token) as ai:
        texts = ["car insurance", "hail damage"]
        default = await ai.embeddings.create(model="lifevault/embedder", input=texts)
        plain = await ai.embeddings.create(model="lifevault/embedder", input=texts, encoding_format="float")
        coded = await ai.embeddings.create(model="lifevault/embedder", input=texts, encoding_format="base64")
        with pytest.raises(openai.BadRequestError) as wrong:
            await ai.embeddings.create(model="lifevault/embedder", input="x", dimensions=7)
        with pytest.raises(openai.NotFoundError):
            await ai.embeddings.create(model="text-embedding-3-small", input="x")

    rows = np.array([each.embedding for each in plain.data], np.float32)
    decoded = [np.frombuffer(base64.b64decode(each.embedding), "<f4") for each in coded.data]
    assert np.allclose(rows, decoded)
    assert np.allclose(rows, [each.embedding for each in default.data])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert wrong.value.code == "wrong_dimensions"


@pytest.mark.parametrize("content", [b"", b"x" * 10])
async def test_a_form_without_purpose_and_an_empty_file_are_refused(url: str, home: Home, content: bytes):
    headers = {"Authorization": f"Bearer {home.owner.access_token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        form = {"purpose": "assistants"} if not content else {}
        answer = await http.post("/openai/v1/files", data=form, files={"file": (f"{uuid4()}.txt", content)})

    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
