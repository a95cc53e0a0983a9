"""Routes of outgoing webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import Security

from app.api.deps import SessionDep, get_principal
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.notifications.webhooks import endpoints, messages
from app.notifications.webhooks.errors import (
    TooManyWebhooks,
    WebhookAddressRefused,
    WebhookMessageNotFound,
    WebhookNotFound,
)
from app.notifications.webhooks.events import EVENTS
from app.notifications.webhooks.schemas import (
    WebhookAttemptList,
    WebhookCreate,
    WebhookCreated,
    WebhookEventList,
    WebhookEventRead,
    WebhookList,
    WebhookMessagePage,
    WebhookMessageRead,
    WebhookRead,
    WebhookSecret,
    WebhookUpdate,
)

Owner = Annotated[Principal, Security(get_principal, scopes=["vault:read", "profile"])]

router = Router(prefix="/webhooks")


@router.get("/events")
async def list_webhook_events(_: Owner) -> WebhookEventList:
    """List what programs can be told of."""
    items = [WebhookEventRead(name=name, description=words) for name, words in EVENTS.items()]
    return WebhookEventList(items=items)


@router.post("", status_code=201, responses=problems(TooManyWebhooks, WebhookAddressRefused))
@idempotent()
async def create_webhook(data: WebhookCreate, principal: Owner, session: SessionDep) -> WebhookCreated:
    """Let a program of yours be told of events, by messages that are signed after the Standard Webhooks.

    A message holds ids, never what you wrote. It is tried ten times within 76 hours, until the answer is 2xx.
    """
    return await endpoints.create_webhook(session, principal, data)


@router.get("")
async def list_webhooks(principal: Owner, session: SessionDep) -> WebhookList:
    """List your webhooks."""
    return WebhookList(items=await endpoints.list_webhooks(session, principal))


@router.get("/{webhook_id:uuid}", responses=problems(WebhookNotFound))
async def read_webhook(webhook_id: UUID, principal: Owner, session: SessionDep) -> WebhookRead:
    """Read a webhook."""
    return await endpoints.read_webhook(session, principal, webhook_id)


@router.patch("/{webhook_id:uuid}", responses=problems(WebhookNotFound, WebhookAddressRefused))
async def update_webhook(webhook_id: UUID, data: WebhookUpdate, principal: Owner, session: SessionDep) -> WebhookRead:
    """Change a webhook, or switch it off and on."""
    return await endpoints.update_webhook(session, principal, webhook_id, data)


@router.delete("/{webhook_id:uuid}", status_code=204, responses=problems(WebhookNotFound))
async def delete_webhook(webhook_id: UUID, principal: Owner, session: SessionDep) -> None:
    """Remove a webhook with its messages."""
    await endpoints.delete_webhook(session, principal, webhook_id)


@router.post("/{webhook_id:uuid}/secret", responses=problems(WebhookNotFound))
async def rotate_webhook_secret(webhook_id: UUID, principal: Owner, session: SessionDep) -> WebhookSecret:
    """Exchange the secret. For a day messages are signed by both, so that no message is lost meanwhile."""
    return await endpoints.rotate_secret(session, principal, webhook_id)


@router.post("/{webhook_id:uuid}/test", status_code=202, responses=problems(WebhookNotFound))
async def test_webhook(webhook_id: UUID, principal: Owner, session: SessionDep) -> WebhookMessageRead:
    """Send a message that says nothing, to see whether it arrives."""
    return await messages.send_test(session, principal, webhook_id)


@router.get("/{webhook_id:uuid}/messages", responses=problems(WebhookNotFound, InvalidCursor))
async def list_webhook_messages(
    webhook_id: UUID, principal: Owner, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> WebhookMessagePage:
    """List what a webhook was told, newest first."""
    before = parse_cursor(cursor)
    items, last = await messages.list_messages(session, principal, webhook_id, limit=limit, before=before)
    return WebhookMessagePage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/{webhook_id:uuid}/messages/{message_id}/attempts", responses=problems(WebhookMessageNotFound))
async def list_webhook_attempts(
    webhook_id: UUID, message_id: UUID, principal: Owner, session: SessionDep
) -> WebhookAttemptList:
    """List every try of a message."""
    return WebhookAttemptList(items=await messages.list_attempts(session, principal, webhook_id, message_id))


@router.post(
    "/{webhook_id:uuid}/messages/{message_id}/replay", status_code=202, responses=problems(WebhookMessageNotFound)
)
async def replay_webhook_message(
    webhook_id: UUID, message_id: UUID, principal: Owner, session: SessionDep
) -> WebhookMessageRead:
    """Send a message again; it keeps its id, by which a program knows that it has seen it."""
    return await messages.replay(session, principal, webhook_id, message_id)
