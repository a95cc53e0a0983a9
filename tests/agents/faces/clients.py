"""Official clients, and what they sign in with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai

from tests.agents.core.people import Home

QUESTION = "When does the car insurance end?"
EVERYTHING = "vault:read vault:write rag:ask agents:run"


@asynccontextmanager
async def client_of(url: str, token: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key=token, max_retries=0, timeout=120) as client:
        yield client


async def key_of(client: httpx.AsyncClient, home: Home, scopes: str = EVERYTHING) -> str:
    """An API key of the person's."""
    body = {"name": "Program", "scopes": scopes.split()}
    made = await client.post("/v1/auth/api-keys", json=body, headers=home.headers)
    assert made.status_code == 201, made.text
    key: str = made.json()["key"]
    return key
