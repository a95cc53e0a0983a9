"""Shapes of agents, runs, approvals, conversations and memory."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints, WithJsonSchema

from app.core.schemas import Clean, Page, RequestModel, ResponseModel, ShortText, Whole
from app.rag.schemas import CitationRead

EXAMPLE_ID = "01a1fbe8-3eef-7d27-809c-9cfaba724faa"
Instructions = Annotated[str, StringConstraints(max_length=8_000), Clean]
ToolNames = Annotated[list[str], Field(max_length=50, examples=[["search_documents", "read_page"]])]
Scope = Annotated[list[UUID], Field(min_length=1, max_length=100)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000), Clean]
Fact = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000), Clean]
RunState = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]

Weekday = Annotated[Whole, Field(ge=1, le=7), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 7})]


class Definition(RequestModel):
    """What an agent is. `model` is `extractive`, the installation's model if null, or another one it offers."""

    name: ShortText = Field(examples=["Insurance helper"])
    description: Annotated[str, StringConstraints(max_length=1_000), Clean] = ""
    instructions: Instructions = Field(default="", examples=["Answer about our insurances only."])
    model: Annotated[str, StringConstraints(min_length=1, max_length=200), Clean] | None = Field(
        default=None, examples=["extractive"]
    )
    tools: ToolNames = ["search_documents", "read_page"]
    vault_ids: Scope | None = Field(default=None, examples=[None], description="All vaults if null.")


class AgentRead(ResponseModel):
    """An agent; a version never changes."""

    id: UUID
    built_in: bool
    version: int
    name: str
    description: str
    instructions: str
    model: str | None
    tools: list[str]
    vault_ids: list[UUID] | None
    created_at: datetime | None


class AgentPage(Page):
    """Agents: the built-in ones, then the person's, newest first."""

    items: list[AgentRead]


class AgentVersionList(ResponseModel):
    """Every version, newest first."""

    items: list[AgentRead]


class ToolRead(ResponseModel):
    """A tool that agents may be given. One with the effect `write` asks the person each time."""

    name: str
    description: str
    effect: Literal["read", "write"]
    parameters: dict[str, Any]


class ToolList(ResponseModel):
    """Every tool."""

    items: list[ToolRead]


class RunCreate(RequestModel):
    """A task for an agent; without a conversation a new one begins."""

    message: Said = Field(examples=["When does our car insurance end?"])
    conversation_id: UUID | None = Field(default=None, examples=[None])
    vault_ids: Scope | None = Field(default=None, examples=[None], description="Narrows the scope of the agent.")
    background: StrictBool = Field(default=False, description="Answer at once, and go on in the background.")
    stream: StrictBool = Field(default=False, description="Answer as server-sent events.")


class ApprovalRead(ResponseModel):
    """What an agent asks leave for: exactly this tool with exactly these arguments, once."""

    id: UUID
    run_id: UUID | None
    tool: str
    arguments: dict[str, Any]
    state: Literal["pending", "approved", "denied", "consumed"]
    expires_at: datetime
    decided_at: datetime | None
    consumed_at: datetime | None
    created_at: datetime


class ApprovalPage(Page):
    """Approvals, newest first."""

    items: list[ApprovalRead]


class Decision(RequestModel):
    """Leave given or refused."""

    approve: StrictBool = Field(examples=[True])


class RunDecision(Decision):
    """Leave given or refused for one thing that a run asked for."""

    approval_id: UUID = Field(examples=[EXAMPLE_ID])


class RunRead(ResponseModel):
    """A run. It is `waiting` while it needs an approval; `reason` says why it ended if it did not succeed."""

    id: UUID
    agent_id: UUID
    agent_version: int
    conversation_id: UUID
    state: RunState
    reason: str | None
    background: bool
    message: str
    output: str | None
    citations: list[CitationRead]
    model: str | None
    approvals: list[ApprovalRead]
    steps: int
    prompt_tokens: int
    completion_tokens: int
    credits: int
    created_at: datetime
    ended_at: datetime | None


class RunPage(Page):
    """Runs, newest first."""

    items: list[RunRead]


class ConversationRead(ResponseModel):
    """Runs that follow one another."""

    id: UUID
    agent_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime


class ConversationPage(Page):
    """Conversations, newest first."""

    items: list[ConversationRead]


class ConversationUpdate(RequestModel):
    """A new title."""

    title: ShortText = Field(examples=["Insurances"])


class MemoryWrite(RequestModel):
    """A fact."""

    text: Fact = Field(examples=["Astrid is our daughter."])


class MemoryRead(ResponseModel):
    """A fact that the person's agents are told; `run_id` is the run that it comes from."""

    id: UUID
    text: str
    run_id: UUID | None
    created_at: datetime
    updated_at: datetime


class MemoryList(ResponseModel):
    """Every fact, oldest first."""

    items: list[MemoryRead]


ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]


class VaultRuleWrite(RequestModel):
    """What models may be sent of a vault: `providers` null allows every one, an empty list none outside."""

    providers: Annotated[list[ProviderName], Field(max_length=20)] | None = Field(default=None, examples=[["endpoint"]])
    masked: StrictBool = Field(
        default=False, description="Replace e-mail addresses, phone numbers, IBANs and numbers of papers before."
    )


class VaultRuleRead(ResponseModel):
    """What models may be sent of a vault."""

    vault_id: UUID
    providers: list[str] | None
    masked: bool


class UsageRead(ResponseModel):
    """What one request to a model took and cost."""

    id: UUID
    run_id: UUID | None
    step: int
    model: str
    prompt_tokens: int
    completion_tokens: int
    credits: int
    created_at: datetime


class UsagePage(Page):
    """Requests to models, newest first."""

    items: list[UsageRead]


class ScheduleWrite(RequestModel):
    """When an agent starts by itself: at a time on the wall of a zone, on all or some days (1 is Monday)."""

    agent_id: UUID = Field(examples=[EXAMPLE_ID])
    message: Said = Field(examples=["What expires within 60 days?"])
    time: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(examples=["08:30"])
    zone: Annotated[str, StringConstraints(min_length=1, max_length=64), Clean] = Field(examples=["Europe/Berlin"])
    weekdays: Annotated[list[Weekday], Field(max_length=7)] = Field(default=[], examples=[[1, 4]])
    enabled: StrictBool = True


class ScheduleRead(ResponseModel):
    """A schedule and when it is due next."""

    id: UUID
    agent_id: UUID
    message: str
    time: str
    zone: str
    weekdays: list[int]
    enabled: bool
    next_at: datetime
    created_at: datetime


class ScheduleList(ResponseModel):
    """Every schedule, oldest first."""

    items: list[ScheduleRead]
