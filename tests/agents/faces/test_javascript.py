"""The faces by official JavaScript clients, against a live server."""

import httpx
import pytest

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
