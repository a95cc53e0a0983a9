"""One person whose vaults hold every hostile document, each in a vault of its own, read once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from app.core.config import Settings
from app.db.runtime import Runtime
from tests.agents.core.conftest import model
from tests.agents.injections.carriers import CARRIERS
from tests.agents.injections.orders import written
from tests.agents.injections.witness import Collector
from tests.agents.injections.world import World, make_world
from tests.conftest import drain_jobs
from tests.factories import make_document, make_vault
from tests.notifications.smtp import changed_settings

__all__ = ["model"]


@dataclass(frozen=True)
class Papers:
    """The world, and by the name of its carrier the vault of each hostile document."""

    world: World
    vault_ids: dict[str, str]


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="session")
async def papers(runtime: Runtime, settings: Settings, collector: Collector) -> Papers:
    with changed_settings(embedder="none"):  # words are enough to find what is planted
        return await planted(settings, collector)


async def planted(settings: Settings, collector: Collector) -> Papers:
    """The documents, stored and read."""
    world = await make_world(settings, collector.url)
    vaults = {}
    for carrier in CARRIERS:
        vault = await make_vault(world.owner, name=carrier.name)
        vaults[carrier.name] = str(vault.id)
        name, content = carrier.file(written(replace(world, vault=vault)))
        await make_document(world.owner, vault, content=content, name=name)
    await drain_jobs(settings)
    return Papers(world, vaults)
