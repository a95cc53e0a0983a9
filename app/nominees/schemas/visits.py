"""Shapes of what nominees do: links, sign-in, asking, attesting, reading what was released."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.auth.addresses import EmailAddress
from app.core.schemas import Clean, RequestModel, ResponseModel
from app.nominees.schemas.cases import AttestationRead, CaseState, Ending, ProofRead

TOKEN = "X3cDk0Yxq0m6bq0v9mB2Wm1k3kz1cF4hV8nY7sT5uRw"  # noqa: S105
Token = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
SixDigits = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Note = Annotated[str, StringConstraints(max_length=2_000), Clean]


class LinkToken(RequestModel):
    """The token of a link that was mailed."""

    token: Token = Field(examples=[TOKEN])


class InvitationAnswer(RequestModel):
    """Whether you want to be a nominee."""

    token: Token = Field(examples=[TOKEN])
    accept: bool = Field(examples=[True])


class Confirmation(RequestModel):
    """A trusted person's word, by the token of the link that was mailed."""

    token: Token = Field(examples=[TOKEN])
    agree: bool = Field(description="False stops the release.", examples=[True])


class ConfirmationByVisitor(RequestModel):
    """A trusted person's word."""

    agree: bool = Field(description="False stops the release.", examples=[True])


class AttestationCreate(RequestModel):
    """Your word that the owner has died, as a proof in the case shows."""

    note: Note = Field(default="", examples=["She died on 3 March in Bergen."])


class AddressOfNominee(RequestModel):
    """An e-mail address; what it is answered never depends on whether somebody named it."""

    email: EmailAddress = Field(examples=["grace@example.org"])


class CodeOfNominee(RequestModel):
    """The token of a sign-in link, and the code that was mailed for it."""

    token: Token = Field(examples=[TOKEN])
    code: SixDigits = Field(examples=["314159"])


class LetterSent(ResponseModel):
    """The same for every address."""

    detail: str = Field(examples=["If somebody named this address, an e-mail is on its way."])


class NomineeToken(ResponseModel):
    """A token of a nominee: it opens the operations under /v1/nominees/visit and nothing else."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds.", examples=[28_800])


class CaseForNominee(ResponseModel):
    """A release case as a nominee or trusted person sees it."""

    id: UUID
    state: CaseState
    ending: Ending | None
    opened_at: datetime
    due_at: datetime | None
    confirmation_wanted: bool = Field(description="Whether your word as trusted person is waited for.")
    attestation_wanted: bool = Field(description="Whether your attestation is waited for.")
    attestations: list[AttestationRead]
    attestations_needed: int
    proofs: list[ProofRead]


class PlanForNominee(ResponseModel):
    """A plan that names you. What you get shows once it is released."""

    id: UUID
    roles: list[Literal["nominee", "trusted"]]
    may_be_asked: bool
    case: CaseForNominee | None


class Visit(ResponseModel):
    """What a nominee can see and do."""

    owner: str = Field(description="Who named you.", examples=["Ada Lovelace"])
    name: str = Field(examples=["Grace Hopper"])
    plans: list[PlanForNominee]


class ReleasedVaultRead(ResponseModel):
    """A vault of which something is released to you."""

    id: UUID
    name: str
    tier: Literal["assisted", "sealed"]
    items: int
    documents: int


class ReleaseRead(ResponseModel):
    """One plan that is released."""

    plan_id: UUID
    released_at: datetime
    stages: int = Field(description="How many of its stages are released.")
    next_stage_at: datetime | None
    ends_at: datetime
    message: str
    gives_server_sheet: bool


class Released(ResponseModel):
    """All that is released to a nominee just now."""

    releases: list[ReleaseRead]
    vaults: list[ReleasedVaultRead]
