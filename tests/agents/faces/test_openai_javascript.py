"""The whole OpenAI face by the official JavaScript client."""

import httpx
import pytest

from tests.agents.core.people import Home
from tests.agents.faces import node
from tests.agents.faces.clients import QUESTION, key_of

pytestmark = pytest.mark.slow


async def test_the_javascript_client_talks_searches_and_stores(client: httpx.AsyncClient, url: str, home: Home):
    key = await key_of(client, home)

    said = await node.run("openai.mjs", f"{url}/openai/v1", key, str(home.vault.id), QUESTION)

    assert said.strip() == "ok"
