"""Shapes of reminders and calendar feeds."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from app.core.schemas import LongText, NumberOnly, Page, RequestModel, ResponseModel, ShortText
from app.notifications.kinds import Titles
from app.notifications.schemas import ClockTime, Zone

Kind: TypeAlias = Literal["expires", "renews", "due", "other"]
Source: TypeAlias = Literal["manual", "field", "assistant"]
State: TypeAlias = Literal["proposed", "active", "done", "dismissed"]
Shown: TypeAlias = Literal["open", "upcoming", "overdue", "done", "proposed", "dismissed"]
Preset: TypeAlias = Literal["hour", "tomorrow", "week", "month"]

DEFAULT_LEADS = [7, 1, 0]
RULE_PATTERN = r"^(RRULE:)?FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]{4,10}=[A-Z0-9,+-]{1,100}){0,8}$"
RRule = Annotated[str, StringConstraints(pattern=RULE_PATTERN, max_length=400)]
Lead = Annotated[int, Field(ge=0, le=730), NumberOnly]
Leads = Annotated[list[Lead], Field(max_length=10, examples=[[60, 30, 7, 1]])]
People = Annotated[list[UUID], Field(max_length=50)]
NOTES = "Kept encrypted, like the title."


class ReminderCreate(RequestModel):
    """A new reminder: of a vault, or without `vault_id` and `item_id` of yours alone."""

    vault_id: UUID | None = Field(default=None, description="The vault whose members see it.")
    item_id: UUID | None = Field(default=None, description="A record that it is about; its vault is taken.")
    title: ShortText = Field(examples=["Renew the parking permit"])
    notes: LongText = Field(default="", description=NOTES)
    due_on: date = Field(examples=["2031-05-31"], description="With a rule the first day that it falls on from here.")
    at: ClockTime | None = Field(default=None, examples=["14:30"], description="Left out: the whole day.")
    zone: Zone | None = Field(default=None, examples=["Europe/Berlin"], description="Of `at`; yours if left out.")
    rrule: RRule | None = Field(
        default=None,
        examples=["FREQ=YEARLY"],
        description="How it repeats (RFC 5545): FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, "
        "WKST. A 31st or 29 February becomes the last day where there is none.",
    )
    leads: Leads = Field(
        default=DEFAULT_LEADS, description="How many days before people are told; 0 is the day itself."
    )
    assigned_to: People | None = Field(
        default=None, description="Members who are told. Null: all who may change the vault."
    )


class ReminderUpdate(RequestModel):
    """Changes of a reminder; what is left out stays. Null takes away time, rule or assignment."""

    title: ShortText | None = Field(default=None, examples=["Renew both parking permits"])
    notes: LongText | None = Field(default=None, description=NOTES)
    due_on: date | None = Field(default=None, examples=["2031-06-30"])
    at: ClockTime | None = Field(default=None, examples=["09:00"])
    zone: Zone | None = Field(default=None, examples=["Europe/Berlin"])
    rrule: RRule | None = Field(default=None, examples=["FREQ=MONTHLY;BYDAY=-1FR"])
    leads: Leads | None = None
    assigned_to: People | None = None


class Citation(ResponseModel):
    """Where a date was read: characters [start, end) of a page of a version of a document."""

    document_id: UUID
    version_id: UUID
    page: int
    start: int
    end: int


class ReminderRead(ResponseModel):
    """A reminder. `due_on` is the day that is open now, `due_at` its moment if it has a time."""

    id: UUID
    vault_id: UUID | None
    item_id: UUID | None
    document_id: UUID | None
    kind: Kind
    source: Source
    state: State
    title: str = Field(examples=["Astrid's passport"])
    notes: str
    field: str | None = Field(description="The field of the record that its date is in.", examples=["expires_on"])
    citation: Citation | None = Field(description="Where the assistant read the date.")
    due_on: date
    due_at: datetime | None
    overdue: bool
    at: str | None
    zone: str | None
    rrule: str | None
    starts_on: date = Field(description="The first day that it was due on, or its rule fell on.")
    leads: list[int]
    assigned_to: list[UUID] | None
    snoozed_until: datetime | None = Field(description="Until when you have put it off.")
    done_on: date | None = Field(description="The day of those it was due on that was done last.")
    done_at: datetime | None
    created_by: UUID
    revision: int
    created_at: datetime
    updated_at: datetime


class ReminderPage(Page):
    """Reminders: those that are done or dismissed latest first, others in the order in which they are due."""

    items: list[ReminderRead]


class DoneRequest(RequestModel):
    """Which due day is done. Saying it twice moves a repeating reminder on once."""

    due_on: date | None = Field(default=None, description="The day that is open now, if left out.")


class SnoozeUntil(RequestModel):
    """Put off to a time."""

    until: AwareDatetime = Field(examples=["2031-05-20T07:00:00Z"])


class SnoozeFor(RequestModel):
    """Put off for an hour, or to the time of day when you are reminded of things: tomorrow, in a week, in a month."""

    preset: Preset = Field(examples=["week"])


class FeedWrite(RequestModel):
    """What a calendar shows: titles, or only that something is due."""

    titles: Titles = Field(default="private", examples=["full"])


class FeedRead(ResponseModel):
    """Your calendar feed; its address is shown once, when it is made."""

    titles: Titles
    last_used_at: datetime | None
    created_at: datetime


class FeedCreated(FeedRead):
    """A new feed: give its address to a calendar, and to nobody else."""

    url: str
