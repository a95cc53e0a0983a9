"""What routers, tasks and other packages may ask of reminders; the assistant asks `propose`."""

from app.reminders.service.acting import complete, confirm, dismiss, reopen, snooze
from app.reminders.service.feed import create_feed, delete_feed, open_feed, read_feed, update_feed
from app.reminders.service.following import follow_item, forget_document
from app.reminders.service.links import done_by_link, read_link, snooze_by_link
from app.reminders.service.proposing import Passage, Proposal, propose
from app.reminders.service.reminders import (
    Filters,
    create_reminder,
    delete_reminder,
    list_reminders,
    read_reminder,
    update_reminder,
)
from app.reminders.service.sending import look_again, purge_sent, send_due
from app.reminders.service.standing import (
    REVIEW_JOB,
    enrol,
    note_password,
    remind_of_api_keys,
    remind_of_invitations,
    remind_of_passwords,
    review,
    start_reviews,
)

__all__ = [
    "REVIEW_JOB",
    "Filters",
    "Passage",
    "Proposal",
    "complete",
    "confirm",
    "create_feed",
    "create_reminder",
    "delete_feed",
    "delete_reminder",
    "dismiss",
    "done_by_link",
    "enrol",
    "follow_item",
    "forget_document",
    "list_reminders",
    "look_again",
    "note_password",
    "open_feed",
    "propose",
    "purge_sent",
    "read_feed",
    "read_link",
    "read_reminder",
    "remind_of_api_keys",
    "remind_of_invitations",
    "remind_of_passwords",
    "reopen",
    "review",
    "send_due",
    "snooze",
    "snooze_by_link",
    "start_reviews",
    "update_feed",
    "update_reminder",
]
