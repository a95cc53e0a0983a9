"""Shapes of saved cards."""

from pydantic import Field

from app.core.schemas import ResponseModel


class CardRead(ResponseModel):
    """A card as the provider shows it."""

    id: str
    brand: str = Field(examples=["visa"])
    last4: str = Field(examples=["4242"])
    expires_month: int
    expires_year: int
    is_default: bool


class CardList(ResponseModel):
    """The saved cards."""

    items: list[CardRead]
