"""Shapes of models."""

from typing import Literal

from app.core.schemas import ResponseModel


class ModelRead(ResponseModel):
    """A model: an agent, or what makes vectors. `name` is what the person calls it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    name: str


class ModelList(ResponseModel):
    """Every model."""

    object: Literal["list"]
    data: list[ModelRead]
