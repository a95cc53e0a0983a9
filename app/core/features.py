"""Features that are on for some people only: by a share of them, who stay the same ones, or by name."""

import hashlib
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

STEPS: Final = 10_000  # a share is counted in hundredths of a percent


class Feature(BaseModel):
    """Who has a feature: the people named, besides them a share of all, and nobody of those that are held back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: float = Field(default=0, ge=0, le=100, description="Share of people that have it.")
    people: frozenset[UUID] = Field(default=frozenset(), description="Accounts that have it in any case.")
    held_back: frozenset[UUID] = Field(default=frozenset(), description="Accounts that never have it.")


def is_within(share: float, name: str, who: str) -> bool:
    """Whether somebody is within a share, in percent, of all people.

    It is the same each time, in every process; who is within a share is within every larger one of that name, and the
    shares of two names have nothing to do with each other.
    """
    digest = hashlib.sha256(f"{name}\0{who}".encode()).digest()
    return int.from_bytes(digest[:8]) % STEPS < share * STEPS / 100


def is_on(features: Mapping[str, Feature], name: str, user_id: UUID | None) -> bool:
    """Whether somebody has a feature; one that nobody has set is off, and for strangers on only if it is for all."""
    feature = features.get(name)
    if feature is None:
        return False
    if user_id is None:
        return feature.percent == 100
    if user_id in feature.held_back:
        return False
    return user_id in feature.people or is_within(feature.percent, name, str(user_id))
