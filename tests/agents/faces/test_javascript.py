"""The faces by official JavaScript clients, against a live server."""

from typing import Any

import httpx
import pytest

from app.agents.catalogue import ASSISTANT
from tests.agents.core.model import Model, Says, asks
from tests.agents.core.people import Home
from tests.agents.faces import node
from tests.agents.faces.clients import QUESTION, key_of

pytestmark = pytest.mark.slow


async def test_the_client_of_openai_talks_searches_and_stores(client: httpx.AsyncClient, url: str, home: Home):
    key = await key_of(client, home)

    said = await node.run("openai.mjs", f"{url}/openai/v1", key, str(home.vault.id), QUESTION)

    assert said.strip() == "ok"


async def test_the_client_of_mcp_uses_tools_resources_and_prompts(client: httpx.AsyncClient, url: str, home: Home):
    said = await node.run("mcp.mjs", url, await key_of(client, home), str(home.vault.id), QUESTION)

    assert said.strip() == "ok"


async def test_the_clients_of_front_ends_show_a_run_and_carry_the_persons_leave(
    client: httpx.AsyncClient, url: str, home: Home, model: Model
):
    arguments = {"vault_id": str(home.vault.id), "type": "passport", "title": "Passport of Ada"}

    def script(body: dict[str, Any]) -> Says:
        return Says("It is done.") if body["messages"][-1]["role"] == "tool" else asks("create_item", arguments)

    model.script = script
    said = await node.run("fronts.mjs", f"{url}/v1/agents/{ASSISTANT.id}", home.owner.access_token)

    assert said.strip() == "ok"
    items = (await client.get("/v1/vault/items", headers=home.headers)).json()["items"]
    assert [item["title"] for item in items] == ["Passport of Ada"] * 2
