"""What tests of records work with: two vaults, somebody in both, somebody in one, and short ways to ask."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.config import Settings
from app.vault.schemas.items import ItemRead
from app.vault.schemas.vaults import VaultRead
from tests.factories import TestUser, auth, make_item, make_member, make_user, make_vault

V1 = "/v1/vault"


@dataclass(frozen=True)
class Home:
    """`ada` owns both vaults, `bob` reads the first; `call` asks as `ada` unless told otherwise."""

    client: httpx.AsyncClient
    settings: Settings
    ada: TestUser
    bob: TestUser
    eve: TestUser
    vault: VaultRead
    other: VaultRead

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        who: TestUser | None = None,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **params: Any,
    ) -> Any:
        """The answer's JSON, if its status is as expected: any good one if none is named."""
        response = await self.client.request(
            method, f"{V1}/{path}", json=json, headers=auth(who or self.ada) | (headers or {}), params=params or None
        )
        if status is None:
            assert response.is_success, response.text
        else:
            assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def item(self, vault: VaultRead | None = None, **values: Any) -> ItemRead:
        """A record of ada's."""
        return await make_item(self.ada, vault or self.vault, **values)

    async def member(self, role: str, vault: VaultRead | None = None) -> TestUser:
        """Somebody new in a vault."""
        return await make_member(vault or self.vault, role=role)


@pytest.fixture
async def home(client: httpx.AsyncClient, settings: Settings) -> Home:
    ada, eve = await make_user(), await make_user(name="Mallory")
    vault, other = await make_vault(ada), await make_vault(ada, name="Own papers", kind="personal")
    return Home(client, settings, ada, await make_member(vault, role="viewer"), eve, vault, other)


def codes(problem: dict[str, Any]) -> dict[str, str]:
    """What stands in the way of a bulk change, by item."""
    return {each["item_id"]: each["code"] for each in problem["refused"]}


def ids(*items: ItemRead) -> list[str]:
    return [str(item.id) for item in items]


def by_id(rows: list[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    return {UUID(row["id"]): row for row in rows}
