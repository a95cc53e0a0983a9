"""Webhooks of payment providers."""

from typing import Annotated

from fastapi import Header, Request

from app.api.problems import problems
from app.api.routes import Router
from app.core.schemas import ResponseModel
from app.payments.errors import InvalidWebhook, UnknownProvider
from app.payments.providers.port import InvalidSignature
from app.payments.providers.registry import current_provider
from app.payments.services import inbox

Signature = Annotated[str, Header(alias="Stripe-Signature", description="`t=…,v1=…` as the provider signs it.")]

router = Router()


class WebhookReceived(ResponseModel):
    """The event is stored for good; what it causes comes later."""

    received: bool


@router.post("/webhooks/{provider}", responses=problems(InvalidWebhook, UnknownProvider))
async def receive_webhook(provider: str, request: Request, signature: Signature = "") -> WebhookReceived:
    """Take an event of a payment provider. It is answered when it is stored, and handled afterwards, once."""
    known = current_provider()
    if known is None or known.name != provider:
        raise UnknownProvider
    try:
        await inbox.receive(known, await request.body(), signature)
    except InvalidSignature:
        raise InvalidWebhook from None
    return WebhookReceived(received=True)
