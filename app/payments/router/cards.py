"""Routes of saved cards."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import CardNotFound, LastCard, OperationRunning, UrlNotAllowed
from app.payments.router.access import Reader, Writer
from app.payments.router.outgoing import ASKING, COMMANDING, PENDING, let_go, pending
from app.payments.schemas.cards import CardList, CardRead
from app.payments.schemas.checkout import CheckoutRead, ReturnUrls
from app.payments.services import cards, checkout

CardId = Annotated[str, Path(max_length=200)]

router = Router(prefix="/payment-methods")


@router.get("", responses=problems(*ASKING))
async def list_cards(principal: Reader, session: SessionDep) -> CardList:
    """List the saved cards. Only for the person who pays."""
    await let_go(session)
    return CardList(items=[CardRead.model_validate(card) for card in await cards.list_cards(principal)])


@router.post(
    "",
    response_model=CheckoutRead,
    responses={**PENDING, **problems(UrlNotAllowed, *COMMANDING)},
)
@idempotent(required=True)
async def add_card(data: ReturnUrls, principal: Writer, cause: UUID) -> CheckoutRead | Response:
    """Open a page of the provider where a card is added: a checkout. The card itself never passes through here."""
    outcome = await cards.add_card(principal, data.success_url, data.cancel_url, cause)
    return pending(outcome) or await checkout.read_checkout(principal, operation_id=outcome.operation_id)


@router.post("/{card_id}/default", status_code=204, responses=problems(CardNotFound, OperationRunning, *ASKING))
async def set_default_card(card_id: CardId, principal: Writer, session: SessionDep) -> None:
    """Pay with this card from now on."""
    await let_go(session)
    await cards.set_default(principal, card_id)


@router.delete("/{card_id}", status_code=204, responses=problems(CardNotFound, LastCard, OperationRunning, *ASKING))
async def remove_card(card_id: CardId, principal: Writer, session: SessionDep) -> None:
    """Remove a card. The last one stays while a subscription is renewed with it."""
    await let_go(session)
    await cards.remove(principal, card_id)
