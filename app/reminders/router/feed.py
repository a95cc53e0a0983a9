"""Routes of the calendar feed: made and ended by its person, read by calendars without a sign-in."""

from typing import Annotated

from fastapi import Path, Request, Response

from app.api.conditional import ETAG, IfNoneMatch
from app.api.deps import SessionDep, device_of
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded
from app.reminders import service
from app.reminders.errors import FeedNotFound, TooManyFeedRequests
from app.reminders.router.access import Reader
from app.reminders.schemas import FeedCreated, FeedRead, FeedWrite

FeedToken = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{43}$", description="From the address of the feed.")]
CALENDAR = {
    "description": "An iCalendar of what you are told of (RFC 5545)",
    "headers": ETAG,
    "content": {"text/calendar": {"schema": {"type": "string"}}},
}

router = Router(prefix="/reminders/feed")


@router.post("", status_code=201, responses=problems(SessionNeeded))
@idempotent()
async def create_feed(data: FeedWrite, principal: Reader, session: SessionDep) -> FeedCreated:
    """Make a calendar feed, or a new address for it: calendars with the earlier address get nothing any more.

    Whoever has the address can read it. It is shown this once. Titles are in it only if you say so.
    """
    return await service.create_feed(session, principal, data.titles)


@router.get("", responses=problems(FeedNotFound))
async def read_feed(principal: Reader, session: SessionDep) -> FeedRead:
    """Read what your calendar feed shows, and when a calendar last asked for it."""
    return await service.read_feed(session, principal)


@router.patch("", responses=problems(FeedNotFound, SessionNeeded))
async def update_feed(data: FeedWrite, principal: Reader, session: SessionDep) -> FeedRead:
    """Change what your calendar feed shows; its address stays."""
    return await service.update_feed(session, principal, data.titles)


@router.delete("", status_code=204, responses=problems(FeedNotFound))
async def delete_feed(principal: Reader, session: SessionDep) -> None:
    """End your calendar feed."""
    await service.delete_feed(session, principal)


@router.get(
    "/{token}.ics",
    response_class=Response,
    responses={
        200: CALENDAR,
        304: {"description": "Still what If-None-Match says", "headers": ETAG},
        **problems(FeedNotFound, TooManyFeedRequests),
    },
)
async def read_calendar(token: FeedToken, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Read a calendar feed, as calendars do."""
    calendar = await service.open_feed(token, if_none_match, device_of(request))
    headers = {"ETag": calendar.etag, "Cache-Control": "private, no-cache"}
    if calendar.content is None:
        return Response(status_code=304, headers=headers)
    named = {"Content-Disposition": 'inline; filename="lifevault.ics"'}
    return Response(calendar.content, 200, headers | named, "text/calendar; charset=utf-8")
