"""Routes of reminders; the feed and the links stand before `{reminder_id}`, which would take their paths."""

from fastapi import APIRouter

from app.reminders.router import feed, links, reminders

router = APIRouter(tags=["reminders"])
for part in (feed, links, reminders):
    router.include_router(part.router)
