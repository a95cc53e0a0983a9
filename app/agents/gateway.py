"""Which model does the work: the built-in one, any OpenAI-compatible endpoint, or a provider by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.core.config import Settings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

EXTRACTIVE: Final = "extractive"
ENDPOINT: Final = "endpoint"
"""The name of the provider behind `model_url`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may use: the model that its agent names (None: what the installation has), and how.

    `local_only`: nothing leaves this installation. `masked`: what identifies people is replaced before it leaves.
    """

    model: str | None = None
    local_only: bool = False
    masked: bool = False


def offered(settings: Settings) -> list[str]:
    """The names of models that agents may ask for, the one that is used by default first."""
    endpoint = [f"{ENDPOINT}:{settings.model_name}"] if settings.model_url else []
    return [*endpoint, *settings.agent_models, EXTRACTIVE]


def chain(settings: Settings, policy: Policy) -> list[str]:
    """The models to ask, one after the other until one answers."""
    if policy.local_only or policy.model == EXTRACTIVE:
        return [EXTRACTIVE]
    others = [name for name in offered(settings) if name != EXTRACTIVE]
    first = [policy.model] if policy.model in others else []
    names = [*first, *(name for name in others if name not in first)]
    return [*names, EXTRACTIVE] if settings.agent_falls_back or not names else names


def providers(names: Sequence[str]) -> set[str]:
    """Who is sent something when these models are asked; nobody for the built-in one."""
    return {name.partition(":")[0] for name in names if name != EXTRACTIVE}


def model_for(settings: Settings, policy: Policy) -> "Model":
    """The model for a policy: a chain with breakers, masked if the policy says so. Imports pydantic-ai."""
    from app.agents.chain import ChainModel, candidate  # noqa: PLC0415  heavy, and not needed to start

    candidates = [candidate(settings, name) for name in chain(settings, policy)]
    return ChainModel(settings, candidates, masked=policy.masked)
