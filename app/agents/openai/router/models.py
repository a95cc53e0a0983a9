"""Agents as models."""

from typing import Annotated

from fastapi import Path

from app.agents import agents
from app.agents.openai import names
from app.agents.openai.errors import ModelNotFound
from app.agents.openai.router.access import Runner
from app.agents.openai.schemas.models import ModelList, ModelRead
from app.agents.schemas import AgentRead
from app.api.deps import SessionDep, SettingsDep
from app.api.problems import problems
from app.api.routes import Router

router = Router()
EMBEDDER = ModelRead(
    id=names.EMBEDDER, object="model", created=names.SINCE, owned_by="lifevault", name="Vectors of texts"
)


@router.get("/models")
async def list_models(principal: Runner, session: SessionDep, settings: SettingsDep) -> ModelList:
    """List the agents that you can talk to, ours and your own, and what makes vectors."""
    found, _ = await agents.list_all(session, principal, limit=settings.agents_per_user, before=None)
    return ModelList(object="list", data=[*map(_read, found), EMBEDDER])


@router.get("/models/lifevault/{model_name}", responses=problems(ModelNotFound))
async def read_model(
    model_name: Annotated[str, Path(min_length=1, max_length=100, examples=["assistant"])],
    principal: Runner,
    session: SessionDep,
) -> ModelRead:
    """Read what a model is called; every model here begins with `lifevault/`."""
    if f"{names.MARK}{model_name}" == names.EMBEDDER:
        return EMBEDDER
    return _read(await names.agent_of(session, principal, model_name))


def _read(agent: AgentRead) -> ModelRead:
    created = int(agent.created_at.timestamp()) if agent.created_at else names.SINCE
    owner = "lifevault" if agent.built_in else "you"
    return ModelRead(id=names.name_of(agent.id), object="model", created=created, owned_by=owner, name=agent.name)
