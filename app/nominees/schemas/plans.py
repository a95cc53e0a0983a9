"""Shapes of legacy plans."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import LongText, Page, RequestModel, ResponseModel, ShortText, Whole
from app.vault.schemas.items import TypeName

MOST_STAGES = 10
MOST_GIFTS = 200
MOST_MESSAGES = 50

Days = Annotated[Whole, Field(ge=1, le=365)]
NOMINEE = "01a1fbe8-3eef-7d27-809c-9cfaba724faa"
VAULT = "01a1fbe8-3eef-7d27-809c-9cfaba724fab"


class VaultGift(RequestModel):
    """A whole vault of yours, with whatever is in it on the day."""

    kind: Literal["vault"]
    nominee_id: UUID = Field(examples=[NOMINEE])
    vault_id: UUID = Field(examples=[VAULT])


class TypeGift(RequestModel):
    """All records of one type in a vault of yours."""

    kind: Literal["type"]
    nominee_id: UUID = Field(examples=[NOMINEE])
    vault_id: UUID = Field(examples=[VAULT])
    type: TypeName


class ItemGift(RequestModel):
    """One record in a vault of yours."""

    kind: Literal["item"]
    nominee_id: UUID = Field(examples=[NOMINEE])
    item_id: UUID


class DocumentGift(RequestModel):
    """One document in a vault of yours."""

    kind: Literal["document"]
    nominee_id: UUID = Field(examples=[NOMINEE])
    document_id: UUID


AnyGift = Annotated[VaultGift | TypeGift | ItemGift | DocumentGift, Field(discriminator="kind")]
GIFT = {"kind": "vault", "nominee_id": NOMINEE, "vault_id": VAULT}


class Stage(RequestModel):
    """What is released together, so many days after the stage before it; the first one after the release."""

    after_days: Whole = Field(default=0, ge=0, le=3_650)
    gifts: list[AnyGift] = Field(max_length=MOST_GIFTS, examples=[[GIFT]])


class MessageTo(RequestModel):
    """What you say to one nominee; they see it when the first stage is released."""

    nominee_id: UUID = Field(examples=[NOMINEE])
    text: LongText = Field(examples=["Take care of the boat."])


STAGES = [{"after_days": 0, "gifts": [GIFT]}]


class LegacyPlanCreate(RequestModel):
    """Who gets what, and when. A new plan is a draft until you arm it."""

    title: ShortText = Field(examples=["For Grace"])
    may_be_asked: bool = Field(default=True, description="Whether nominees of this plan may ask for the release.")
    inactivity_days: Annotated[Whole, Field(ge=7, le=3_650)] | None = Field(
        default=None, description="Days without any sign-in of yours after which the release begins by itself."
    )
    reminder_days: Days = Field(default=14, description="Days over which you are reminded three times.")
    confirmer_id: UUID | None = Field(default=None, description="A trusted person who has to confirm.")
    confirmation_days: Days = Field(default=30, description="Days that those who have to confirm or attest have.")
    goes_on_if_silent: bool = Field(
        default=False, description="Whether it goes on if the trusted person does not answer; otherwise it stops."
    )
    attestations_needed: Whole = Field(
        default=0, ge=0, le=16, description="How many nominees have to attest with a proof of death."
    )
    waiting_days: Days = Field(default=14, description="Days between the last word needed and the release.")
    access_days: Annotated[Whole, Field(ge=1, le=3_650)] = Field(
        default=180, description="Days that the last stage stays open to nominees."
    )
    cooldown_days: Days = Field(default=30, description="Days after a stop in which no release can begin.")
    gives_server_sheet: bool = Field(
        default=False, description="Whether nominees of this plan get the server's part of your legacy key, too."
    )
    stages: list[Stage] = Field(default=[], max_length=MOST_STAGES, examples=[STAGES])
    messages: list[MessageTo] = Field(default=[], max_length=MOST_MESSAGES)


class LegacyPlanUpdate(RequestModel):
    """Changes of a plan; what is left out stays. `stages` and `messages` are replaced as a whole."""

    title: ShortText | None = Field(default=None, examples=["For Grace and Alan"])
    may_be_asked: bool | None = None
    inactivity_days: Annotated[Whole, Field(ge=7, le=3_650)] | None = Field(
        default=None, description="Null leaves the release to those who ask."
    )
    reminder_days: Days | None = None
    confirmer_id: UUID | None = Field(default=None, description="Null for nobody.")
    confirmation_days: Days | None = None
    goes_on_if_silent: bool | None = None
    attestations_needed: Annotated[Whole, Field(ge=0, le=16)] | None = None
    waiting_days: Days | None = None
    access_days: Annotated[Whole, Field(ge=1, le=3_650)] | None = None
    cooldown_days: Days | None = None
    gives_server_sheet: bool | None = None
    stages: list[Stage] | None = Field(default=None, max_length=MOST_STAGES, examples=[STAGES])
    messages: list[MessageTo] | None = Field(default=None, max_length=MOST_MESSAGES)


class GiftRead(ResponseModel):
    """What a nominee gets; of a vault all of it, unless one of type, item and document is named."""

    nominee_id: UUID
    vault_id: UUID
    type: str | None
    item_id: UUID | None
    document_id: UUID | None


class StageRead(ResponseModel):
    """What is released together."""

    after_days: int
    gifts: list[GiftRead]


class MessageRead(ResponseModel):
    """What you say to one nominee."""

    nominee_id: UUID
    text: str


class LegacyPlanRead(ResponseModel):
    """A plan. `case_id` is its release case that is going on, if any: until it ends the plan can't be changed."""

    id: UUID
    title: str
    armed_at: datetime | None
    case_id: UUID | None
    may_be_asked: bool
    inactivity_days: int | None
    reminder_days: int
    confirmer_id: UUID | None
    confirmation_days: int
    goes_on_if_silent: bool
    attestations_needed: int
    waiting_days: int
    access_days: int
    cooldown_days: int
    gives_server_sheet: bool
    stages: list[StageRead]
    messages: list[MessageRead]
    revision: int = Field(description="Counts changes; the ETag is made of it.")
    created_at: datetime
    updated_at: datetime


class LegacyPlanPage(Page):
    """Plans, newest first."""

    items: list[LegacyPlanRead]


FindingCode = Literal[
    "not-armed",
    "no-gifts",
    "no-trigger",
    "address-not-confirmed",
    "vault-gone",
    "gift-empty",
    "nobody-can-receive",
    "nominee-not-confirmed",
    "nominee-declined",
    "nominee-not-verified-lately",
    "trusted-not-confirmed",
    "trusted-gets-something",
    "too-few-to-attest",
    "no-sheets",
    "sheet-missing",
    "account-being-deleted",
]


class Finding(ResponseModel):
    """Something that would fail today (`fails`), or that may (`warns`)."""

    code: FindingCode
    severity: Literal["fails", "warns"]
    text: str = Field(examples=["Grace Hopper has not accepted yet."])
    nominee_id: UUID | None
    vault_id: UUID | None


class Readiness(ResponseModel):
    """Whether everything would work today, and what would not."""

    ready: bool
    findings: list[Finding]
