"""Agents as models: their names here, and what is told of them."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import agents
from app.agents.catalogue import BUILT_IN
from app.agents.errors import AgentNotFound
from app.agents.openai.errors import ModelNotFound
from app.agents.schemas import AgentRead
from app.auth.principal import Principal

MARK: Final = "lifevault/"
EMBEDDER: Final = "lifevault/embedder"
SINCE: Final = 1_767_225_600
"""When the built-in models came to be: 2026-01-01."""

_by_slug: Final = {each.slug: each.id for each in BUILT_IN.values()}
_slugs: Final = {each.id: each.slug for each in BUILT_IN.values()}


def name_of(agent_id: UUID) -> str:
    """`lifevault/assistant` for one of ours, `lifevault/<id>` for one of the person's."""
    return f"{MARK}{_slugs.get(agent_id, str(agent_id))}"


async def agent_of(session: AsyncSession, principal: Principal, model: str) -> AgentRead:
    """The agent behind a model. Raises `ModelNotFound`."""
    slug = model.removeprefix(MARK)
    try:
        agent_id = _by_slug[slug] if slug in _by_slug else UUID(slug)
        return await agents.read(session, principal, agent_id)
    except (AgentNotFound, ValueError):
        raise ModelNotFound from None
