"""Routes of reminders; the feed and the links stand before `{reminder_id}`, which would take their paths."""

from app.api.routes import Router
from app.reminders.router import feed, links, reminders

router = Router(tags=["reminders"])
for part in (feed, links, reminders):
    router.include_router(part.router)
