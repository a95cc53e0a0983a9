"""People at addresses of their own, and a mail server."""

import random
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from app.db.runtime import Runtime, current
from tests.conftest import application
from tests.notifications.smtp import Mailbox, changed_settings, smtp_server

Visit = Callable[..., httpx.AsyncClient]


def some_address() -> str:
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


@pytest.fixture
async def visit(runtime: Runtime) -> AsyncIterator[Visit]:
    """Makes HTTP clients; each comes from another address, unless it is told."""
    made = []

    def make(address: str | None = None, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(
            application(current().settings), client=(address or some_address(), 1234), raise_app_exceptions=False
        )
        made.append(httpx.AsyncClient(transport=transport, base_url="http://lifevault.test", headers=headers))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
def visitor(visit: Visit) -> httpx.AsyncClient:
    """HTTP from an address that nobody else comes from."""
    return visit()


@pytest.fixture
def mailbox(runtime: Runtime) -> Iterator[Mailbox]:
    """A mail server that the application sends to."""
    with smtp_server() as mailbox, changed_settings(smtp_url=mailbox.url):
        yield mailbox


@pytest.fixture
def production(mailbox: Mailbox) -> Iterator[None]:
    """Addresses must be confirmed, as in production."""
    with changed_settings(environment="production"):
        yield
