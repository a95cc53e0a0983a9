"""Routes of notifications: how you want to be told, what you were told, and your browsers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response, Security

from app.api.conditional import LISTED, IfNoneMatch, unless_same
from app.api.deps import SessionDep, get_principal
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.notifications import inbox, preferences
from app.notifications.errors import (
    InvalidPushSubscription,
    NotificationNotFound,
    PushSubscriptionNotFound,
    PushUnavailable,
    TooManyPushSubscriptions,
    UnknownZone,
)
from app.notifications.push import subscriptions, vapid
from app.notifications.schemas import (
    NotificationPage,
    NotificationRead,
    PreferencesRead,
    PreferencesUpdate,
    PushKeyRead,
    PushSubscriptionCreate,
    PushSubscriptionList,
    PushSubscriptionRead,
    UnreadCount,
)
from app.notifications.webhooks.router import router as webhooks_router

Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Person = Annotated[Principal, Security(get_principal, scopes=["profile"])]
Unread = Annotated[bool, Query(description="Only what you have not read.")]

router = Router(prefix="/notifications", tags=["notifications"])
router.include_router(webhooks_router)


@router.get("", response_model=NotificationPage, responses={**LISTED, **problems(InvalidCursor)})
async def list_notifications(
    principal: Reader,
    session: SessionDep,
    unread: Unread = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List what you were told, newest first."""
    before = parse_cursor(cursor)
    items, last = await inbox.list_notifications(session, principal, unread=unread, before=before, limit=limit)
    page = NotificationPage(items=items, next_cursor=cursor_of(last) if last else None)
    return unless_same(page, if_none_match)


@router.get("/unread")
async def count_unread(principal: Reader, session: SessionDep) -> UnreadCount:
    """Count what you have not read."""
    return UnreadCount(unread=await inbox.count_unread(session, principal))


@router.post("/read")
async def read_all(principal: Reader, session: SessionDep) -> UnreadCount:
    """Mark everything as read."""
    await inbox.mark_all_read(session, principal)
    return UnreadCount(unread=0)


@router.get("/settings")
async def read_settings(principal: Person, session: SessionDep) -> PreferencesRead:
    """Read how you are told: your time zone, quiet hours, digest, and the ways for each kind of notification."""
    return await preferences.read_preferences(session, principal)


@router.patch("/settings", responses=problems(UnknownZone))
async def update_settings(data: PreferencesUpdate, principal: Person, session: SessionDep) -> PreferencesRead:
    """Change how you are told. What is left out stays; a kind of notification without ways is switched off."""
    return await preferences.update_preferences(session, principal, data)


@router.get("/push/key", responses=problems(PushUnavailable))
async def read_push_key(_: Person) -> PushKeyRead:
    """Read the `applicationServerKey` that a browser subscribes with."""
    return PushKeyRead(public_key=vapid.public_key())


@router.post(
    "/push/subscriptions",
    status_code=201,
    responses=problems(InvalidPushSubscription, TooManyPushSubscriptions, PushUnavailable),
)
@idempotent()
async def create_push_subscription(
    data: PushSubscriptionCreate, principal: Person, session: SessionDep
) -> PushSubscriptionRead:
    """Let a browser show what you are told. Messages are encrypted for it (RFC 8291): its push service can't read them.

    Sending the same endpoint again takes the place of the earlier subscription.
    """
    return await subscriptions.create_subscription(session, principal, data)


@router.get("/push/subscriptions")
async def list_push_subscriptions(principal: Person, session: SessionDep) -> PushSubscriptionList:
    """List the browsers that show what you are told."""
    return PushSubscriptionList(items=await subscriptions.list_subscriptions(session, principal))


@router.delete("/push/subscriptions/{subscription_id}", status_code=204, responses=problems(PushSubscriptionNotFound))
async def delete_push_subscription(subscription_id: UUID, principal: Person, session: SessionDep) -> None:
    """Let a browser show nothing any more."""
    await subscriptions.delete_subscription(session, principal, subscription_id)


@router.post("/{notification_id:uuid}/read", responses=problems(NotificationNotFound))
async def read_notification(notification_id: UUID, principal: Reader, session: SessionDep) -> NotificationRead:
    """Mark a notification as read."""
    return await inbox.mark_read(session, principal, notification_id)


@router.delete("/{notification_id:uuid}", status_code=204, responses=problems(NotificationNotFound))
async def delete_notification(notification_id: UUID, principal: Reader, session: SessionDep) -> None:
    """Delete a notification."""
    await inbox.delete_notification(session, principal, notification_id)
