"""MCP by the official Python client, against a live server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.agents.core.people import Home
from tests.agents.faces.clients import QUESTION, key_of
from tests.factories import make_user

APPROVALS = "/v1/agents/approvals"


@asynccontextmanager
async def mcp_client(url: str, token: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


def said(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


def quoted(content: Any) -> list[str]:
    """What stands between the lines of a frame, which carry a new code each time."""
    return content.text.splitlines()[1:-1]


async def test_a_host_searches_asks_and_reads_the_papers_of_its_own_person_only(
    client: httpx.AsyncClient, url: str, home: Home
):
    stranger = (await make_user()).access_token
    async with mcp_client(url, await key_of(client, home)) as mine, mcp_client(url, stranger) as other:
        names = {tool.name for tool in (await mine.list_tools()).tools}
        asked = {"query": "car insurance"}
        both = await asyncio.gather(*(each.call_tool("search_documents", asked) for each in (mine, other) * 3))
        answer = await mine.call_tool("ask", {"question": QUESTION})
        listed = await mine.list_resources()
        document = listed.resources[0].uri
        whole = await mine.read_resource(document)
        page = await mine.read_resource(f"{document}/pages/1")
        vaults = await mine.call_tool("list_vaults", {})
        with pytest.raises(MCPError):
            await other.read_resource(document)
        refused = await other.call_tool("read_page", {"document_id": document.rpartition("/")[2]})
        assert (await other.list_resources()).resources == []

    assert {"search_documents", "ask", "read_page", "list_vaults", "list_items", "create_item", "read_approval"} < names
    assert {"list_reminders", "propose_reminder", "draft_letter", "export_dossier"} < names
    assert ["1 March 2027" in said(result) for result in both] == [True, False] * 3
    assert "1 March 2027" in said(answer)
    assert answer.structured_content["found"]
    for place in answer.structured_content["passages"]:
        path = f"/v1/rag/documents/{place['document_id']}/pages/{place['page']}"
        text = (await client.get(path, headers=home.headers)).json()["text"]
        assert text[place["start"] : place["end"]] in said(answer)
    assert "branch in Lund" in page.contents[0].text
    assert [quoted(each) for each in whole.contents] == [quoted(each) for each in page.contents]
    assert vaults.structured_content["vaults"][0]["vault_id"] == str(home.vault.id)
    assert refused.is_error


async def test_an_effect_is_only_asked_for_and_done_once_when_the_person_allows_it(
    client: httpx.AsyncClient, url: str, home: Home
):
    arguments = {"vault_id": str(home.vault.id), "type": "passport", "title": "Passport of Ada"}
    key = await key_of(client, home)
    async with mcp_client(url, key) as host:
        asked = await host.call_tool("create_item", arguments)
        again = await host.call_tool("create_item", arguments)
        approval = asked.structured_content["approval_id"]
        assert again.structured_content["approval_id"] == approval
        wrong = await host.call_tool("create_item", {"title": "no vault"})
        waiting = await host.call_tool("read_approval", {"approval_id": approval})
        path = f"{APPROVALS}/{approval}/decision"
        robot = await client.post(path, json={"approve": True}, headers={"Authorization": f"Bearer {key}"})
        assert (await client.get("/v1/vault/items", headers=home.headers)).json()["items"] == []
        given = await client.post(path, json={"approve": True}, headers=home.headers)
        twice = await client.post(path, json={"approve": True}, headers=home.headers)
        done = await host.call_tool("read_approval", {"approval_id": approval})

    assert (waiting.structured_content["state"], done.structured_content["state"]) == ("pending", "consumed")
    assert (robot.status_code, given.status_code, twice.status_code) == (403, 200, 409)
    assert given.json()["state"] == "consumed"
    items = (await client.get("/v1/vault/items", headers=home.headers)).json()["items"]
    assert [(item["id"], item["title"]) for item in items] == [
        (done.structured_content["result"]["created"], "Passport of Ada")
    ]
    assert wrong.is_error
    assert (await client.get(APPROVALS, headers=home.headers)).json()["items"][0]["id"] == approval


async def test_what_can_no_longer_be_done_is_not_done_and_the_leave_is_not_used_up(
    client: httpx.AsyncClient, url: str, home: Home
):
    async with mcp_client(url, home.owner.access_token) as host:
        arguments: dict[str, Any] = {"vault_id": str(home.vault.id), "type": "passport", "title": "Passport"}
        arguments["fields"] = {"expires_on": "not a date"}
        asked = await host.call_tool("create_item", arguments)
    approval = asked.structured_content["approval_id"]

    given = await client.post(f"{APPROVALS}/{approval}/decision", json={"approve": True}, headers=home.headers)

    assert (given.status_code, given.json()["code"]) == (409, "effect-failed")
    left = await client.get(f"{APPROVALS}/{approval}", headers=home.headers)
    assert left.json()["state"] == "pending"


async def test_scopes_decide_which_tools_there_are(client: httpx.AsyncClient, url: str, home: Home):
    async with mcp_client(url, await key_of(client, home, "vault:read")) as host:
        names = {tool.name for tool in (await host.list_tools()).tools}
        hidden = await host.call_tool("search_documents", {"query": "x"})
    async with mcp_client(url, await key_of(client, home, "rag:ask")) as host:
        with pytest.raises(MCPError):
            await host.list_resources()

    reading = {"list_vaults", "list_items", "list_reminders", "read_item", "read_page"}
    assert names == reading | {"summarise_document", "compare_policies", "life_check", "legacy_check"}
    assert hidden.is_error
    assert "rag:ask" in said(hidden)


async def test_prompts_are_filled_and_unknown_ones_refused(url: str, home: Home):
    async with mcp_client(url, home.owner.access_token) as host:
        names = [prompt.name for prompt in (await host.list_prompts()).prompts]
        prompt = await host.get_prompt("what_expires", {"days": "60"})
        with pytest.raises(MCPError):
            await host.get_prompt("what_expires", {})
        templates = (await host.list_resource_templates()).resource_templates
        for uri in ("lifevault://documents/x", "file:///etc/passwd", "lifevault://documents/1/pages/-1"):
            with pytest.raises(MCPError):
                await host.read_resource(uri)

    assert "60 days" in prompt.messages[0].content.text
    assert names == ["ask", "what_expires", "compare", "life_check", "legacy"]
    assert [each.name for each in templates] == ["document", "page"]


async def test_without_a_good_token_the_way_to_sign_in_is_told(url: str, home: Home):
    async with httpx.AsyncClient(base_url=url) as http:
        answers = [
            await http.post("/mcp", json={}, headers=headers)
            for headers in ({}, {"Authorization": "Bearer lv_wrong"}, {"Authorization": "Basic YTpi"})
        ]
        metadata = (await http.get("/.well-known/oauth-protected-resource/mcp")).json()
        server = (await http.get("/.well-known/oauth-authorization-server")).json()
        headers = {"Authorization": f"Bearer {home.owner.access_token}", "Host": "evil.example"}
        elsewhere = await http.post("/mcp", json={}, headers=headers)
        headers = {"Authorization": f"Bearer {home.owner.access_token}", "Origin": "https://evil.example"}
        foreign = await http.post("/mcp", json={}, headers=headers)

    assert [answer.status_code for answer in answers] == [401] * 3
    for answer in answers:
        assert "/.well-known/oauth-protected-resource/mcp" in answer.headers["www-authenticate"]
    assert metadata["resource"].endswith("/mcp")
    assert metadata["authorization_servers"] == [server["issuer"]]
    assert server["token_endpoint"].endswith("/v1/auth/token")
    assert (elsewhere.status_code, foreign.status_code) == (421, 403)
