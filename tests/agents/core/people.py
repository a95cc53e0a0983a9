"""A person with a vault and a policy that has been read."""

from dataclasses import dataclass

import httpx

from app.agents.catalogue import ASSISTANT
from app.core.config import Settings
from app.vault.schemas.vaults import VaultRead
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_document, make_user, make_vault

RUNS = "/v1/agents/runs"
START = f"/v1/agents/{ASSISTANT.id}/runs"
POLICY = (
    b"Car insurance policy of the Lovelace family.\n\n"
    b"The insurance ends on 1 March 2027. The excess for damage by hail is 250 euros.\n\n"
    b"Claims are reported within seven days to the branch in Lund.\n"
)


@dataclass(frozen=True)
class Home:
    """The person and the vault."""

    owner: TestUser
    vault: VaultRead
    headers: dict[str, str]


async def make_home(settings: Settings, *documents: bytes) -> Home:
    """Somebody whose documents are read."""
    owner = await make_user()
    vault = await make_vault(owner)
    for number, content in enumerate(documents or (POLICY,)):
        await make_document(owner, vault, content=content, name=f"policy{number}.txt", title=f"Policy {number}")
    await drain_jobs(settings)
    return Home(owner, vault, auth(owner))


async def run_agent(client: httpx.AsyncClient, home: Home, message: str, **more: object) -> dict[str, object]:
    """The run as it rests."""
    response = await client.post(START, json={"message": message, **more}, headers=home.headers)
    assert response.status_code == 201, response.text
    return response.json()
