"""Four people with sealed accounts: their passwords are costly to stretch, so that they are made once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from app.db.runtime import Runtime
from tests.conftest import application
from tests.vault.sealed.home import Person, make_person

NAMES = ("alice", "bob", "carol", "mallory")


@dataclass(frozen=True)
class People:
    """Who makes vaults of their own in each test; none changes keys or password."""

    client: httpx.AsyncClient
    alice: Person
    bob: Person
    carol: Person
    mallory: Person

    def __getitem__(self, name: str) -> Person:
        person: Person = getattr(self, name)
        return person


@pytest.fixture(scope="session")
async def people(runtime: Runtime) -> AsyncIterator[People]:
    transport = httpx.ASGITransport(application(runtime.settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield People(client, *[await make_person(client, name) for name in NAMES])
