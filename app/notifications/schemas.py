"""Shapes of preferences, of the inbox, and of browsers that get push messages."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.core.schemas import Page, RequestModel, ResponseModel, ShortText, Whole
from app.notifications.kinds import Channel, Digest, Kind, Titles

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
Ways = Annotated[list[Channel], Field(max_length=3, examples=[["inbox", "email"]])]
Weekday = Annotated[Whole, Field(ge=1, le=7)]


class QuietHours(RequestModel):
    """Times on the wall between which nothing is sent; they may go over midnight."""

    start: ClockTime = Field(examples=["22:00"])
    end: ClockTime = Field(examples=["07:00"])


class ChannelsUpdate(RequestModel):
    """Ways by kind of notification; no ways switch a kind off. Kinds that are left out stay as they are."""

    reminder: Ways | None = None
    review: Ways | None = Field(default=None, description="The monthly review.")
    password: Ways | None = Field(default=None, description="A password that is old.")
    api_key: Ways | None = Field(default=None, description="API keys that are about to expire.")
    invitation: Ways | None = Field(default=None, description="Invitations that nobody has answered.")
    legacy: Ways | None = Field(
        default=None, description="Steps of a release of your legacy; letters about it are sent in any case."
    )


class PreferencesUpdate(RequestModel):
    """Changes of your preferences; what is left out stays."""

    zone: Zone | None = Field(default=None, examples=["Europe/Berlin"], description="Your time zone (IANA).")
    remind_at: ClockTime | None = Field(
        default=None, examples=["09:00"], description="When you are reminded of things that are due on a day."
    )
    quiet_hours: QuietHours | None = Field(default=None, description="Null for none.")
    digest: Digest | None = Field(
        default=None, examples=["daily"], description="Collect what can wait into one message a day or a week."
    )
    digest_at: ClockTime | None = Field(default=None, examples=["08:00"])
    digest_weekday: Weekday | None = Field(default=None, examples=[1], description="1 is Monday.")
    titles: Titles | None = Field(
        default=None, examples=["full"], description="Whether e-mails and push messages name what they are about."
    )
    channels: ChannelsUpdate | None = None


class QuietHoursRead(ResponseModel):
    """Times on the wall between which nothing is sent."""

    start: str
    end: str


class ChannelsRead(ResponseModel):
    """Ways by kind of notification."""

    reminder: list[Channel]
    review: list[Channel]
    password: list[Channel]
    api_key: list[Channel]
    invitation: list[Channel]
    legacy: list[Channel]


class PreferencesRead(ResponseModel):
    """How you want to be told."""

    zone: str
    remind_at: str
    quiet_hours: QuietHoursRead | None
    digest: Digest
    digest_at: str
    digest_weekday: int
    titles: Titles
    channels: ChannelsRead


class NotificationRead(ResponseModel):
    """Something that you were told. `subject_id` is what it is about: of a reminder, its id."""

    id: UUID
    kind: Kind
    title: str
    text: str
    lines: list[str]
    vault_id: UUID | None
    subject_id: UUID | None
    read_at: datetime | None
    created_at: datetime


class NotificationPage(Page):
    """What you were told, newest first."""

    items: list[NotificationRead]


class UnreadCount(ResponseModel):
    """How many notifications you have not read."""

    unread: int


PushEndpoint = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[A-Za-z0-9][A-Za-z0-9.-]{0,253}(:[0-9]{1,5})?(/[!-~]*)?$", max_length=2_000),
]
P256DH = Annotated[str, StringConstraints(pattern=r"^B[A-Za-z0-9_-]{85}[AEIMQUYcgkosw048]$")]  # 65 bytes
AuthSecret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{21}[AQgw]$")]  # 16 bytes

BROWSER_KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"  # RFC 8291 §5


class PushKeys(RequestModel):
    """The keys of a subscription, in base64url without padding, as `PushSubscription.toJSON()` gives them."""

    p256dh: P256DH = Field(examples=[BROWSER_KEY])
    auth: AuthSecret = Field(examples=["BTBZMqHH6r4Tts7J_aSIgg"])


class PushSubscriptionCreate(RequestModel):
    """A browser's subscription."""

    endpoint: PushEndpoint = Field(examples=["https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"])
    keys: PushKeys
    name: ShortText = Field(examples=["Firefox on the laptop"])


class PushSubscriptionRead(ResponseModel):
    """A browser that gets push messages; its address and keys are not shown."""

    id: UUID
    name: str
    last_used_at: datetime | None
    created_at: datetime


class PushSubscriptionList(ResponseModel):
    """Your browsers, oldest first."""

    items: list[PushSubscriptionRead]


class PushKeyRead(ResponseModel):
    """The `applicationServerKey` to subscribe with (RFC 8292), in base64url."""

    public_key: str
