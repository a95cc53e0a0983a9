"""The official clients against a live server."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from app.main import create_app
from tests.conftest import drain_jobs
from tests.factories import make_document, make_user, make_vault
from tests.rag.asking import EXCESS, POLICY

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(runtime):
    app = create_app(runtime.settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    config = server.config
    config.load()
    sockets = [config.bind_socket()]
    running = asyncio.create_task(server.serve(sockets=sockets))
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        await app.state.mcp.close()


@asynccontextmanager
async def openai_client(url, token):
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key=token, max_retries=0) as client:
        yield client


@asynccontextmanager
async def mcp_client(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


async def with_policy(runtime):
    user = await make_user()
    vault = await make_vault(user)
    document = await make_document(user, vault, content=POLICY.encode())
    await drain_jobs(runtime.settings)
    return user, vault, document.id


async def test_the_official_openai_client_gets_cited_answers_of_its_own_person_only(runtime):
    user, vault, document_id = await with_policy(runtime)
    stranger = await make_user()
    asked = [{"role": "user", "content": EXCESS}]
    async with serving(runtime) as url, openai_client(url, user.access_token) as client:
        answer = (await client.chat.completions.create(model="lifevault", messages=asked)).choices[0].message
        stream = await client.chat.completions.create(model="lifevault", messages=asked, stream=True)
        pieces = [c.choices[0].delta.content or "" async for c in stream if c.choices]
        assert "350 euros" in answer.content
        assert str(document_id) in answer.annotations[0].url_citation.url
        assert "".join(pieces) == answer.content
        assert [s.id for s in (await client.vector_stores.list()).data] == [str(vault.id)]
        found = await client.vector_stores.search(str(vault.id), query="excess")
        assert found.data[0].file_id == str(document_id)
        assert (await client.files.retrieve(str(document_id))).filename == "policy.txt"
        assert len((await client.models.list()).data) == 2
        async with openai_client(url, stranger.access_token) as other:
            with pytest.raises(openai.NotFoundError) as missing:
                await other.files.retrieve(str(document_id))
            assert missing.value.type == "not_found_error"
            with pytest.raises(openai.NotFoundError):
                await other.vector_stores.search(str(vault.id), query="excess")
            assert (
                "350" not in (await other.chat.completions.create(model="lifevault", messages=asked)).model_dump_json()
            )
        assert (await client.files.delete(str(document_id))).deleted


async def test_errors_come_in_the_form_of_openai(runtime):
    user = await make_user()
    async with serving(runtime) as url, openai_client(url, user.access_token) as client:
        with pytest.raises(openai.BadRequestError) as bad:
            await client.chat.completions.create(model="lifevault", messages=[])
        assert bad.value.param == "messages"
        async with openai_client(url, "lv_wrong") as nobody:
            with pytest.raises(openai.AuthenticationError):
                await nobody.models.list()


async def test_the_official_mcp_client_reads_its_own_papers_only(runtime):
    user, _, document_id = await with_policy(runtime)
    stranger = await make_user()
    async with serving(runtime) as url:
        async with mcp_client(url, user.access_token) as mine, mcp_client(url, stranger.access_token) as other:
            assert "search_documents" in [tool.name for tool in (await mine.list_tools()).tools]
            asked = {"query": "comprehensive excess"}
            calls = [client.call_tool("search_documents", asked) for client in (mine, other) * 3]
            texts = [result.content[0].text for result in await asyncio.gather(*calls)]
            assert ["350 euros" in text for text in texts] == [True, False] * 3
            page = await mine.read_resource(f"lifevault://documents/{document_id}/pages/1")
            assert "TQ-4471-93" in page.contents[0].text
            refused = await other.call_tool("read_page", {"document_id": str(document_id)})
            assert refused.is_error


async def test_mcp_tells_where_to_sign_in(runtime):
    async with serving(runtime) as url, httpx2.AsyncClient() as http:
        response = await http.post(f"{url}/mcp", json={})
        assert response.status_code == 401
        assert "oauth-protected-resource/mcp" in response.headers["www-authenticate"]
        metadata = await http.get(f"{url}/.well-known/oauth-protected-resource/mcp")
        assert metadata.json()["resource"].endswith("/mcp")
