"""Agents, their runs and what they say; everything that a person or a model wrote is sealed for that person."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id, KeyId, UpdatedAt

UserId = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)]
SealedBody = Annotated[bytes, mapped_column(info={SEALED_BY: "user_id"})]
RunId = Annotated[UUID, mapped_column(ForeignKey("agent_runs.id", ondelete="CASCADE"))]

RUN_STATES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled")
OVER = ("succeeded", "failed", "cancelled")
APPROVAL_STATES = ("pending", "approved", "denied", "consumed")


class Agent(Base):
    """An agent that a person made; what it is stands in its versions, `version` is the present one."""

    __tablename__ = "agents"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class AgentVersion(Base):
    """What an agent was from some time on; never changed. `body` is its whole definition."""

    __tablename__ = "agent_versions"
    __table_args__ = (UniqueConstraint("agent_id", "number", name="uq_agent_versions_number"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    number: Mapped[int]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class Conversation(Base):
    """Runs that follow one another; `body` holds the title.

    One that is not `kept` goes when its run has ended; `thread` is a keyed digest of the name that a program gave it.
    """

    __tablename__ = "agent_conversations"
    __table_args__ = (
        UniqueConstraint("user_id", "thread", name="uq_agent_conversations_thread"),
        Index("ix_agent_conversations_unkept", "updated_at", postgresql_where=text("NOT kept")),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    agent_id: Mapped[UUID]
    kept: Mapped[bool] = mapped_column(server_default=text("true"))
    thread: Mapped[bytes | None]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Run(Base):
    """One task for an agent. `body` holds what was asked, what was answered, and the agent as it was then.

    `events` counts what has happened, `steps` the requests to the model; `scopes` are those of whoever started it.
    """

    __tablename__ = "agent_runs"
    __table_args__ = (
        CheckConstraint(f"state IN {RUN_STATES}", name="state"),
        Index("ix_agent_runs_open", "conversation_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_agent_runs_conversation_id", "conversation_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    agent_id: Mapped[UUID]
    agent_version: Mapped[int]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("agent_conversations.id", ondelete="CASCADE"))
    background: Mapped[bool]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    reason: Mapped[str | None]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    steps: Mapped[int] = mapped_column(server_default=text("0"))
    events: Mapped[int] = mapped_column(server_default=text("0"))
    prompt_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    completion_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    credits: Mapped[int] = mapped_column(server_default=text("0"))
    job_id: Mapped[UUID | None]
    cancelled_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Message(Base):
    """One message of a run, to or from the model, in the order of `ordinal`."""

    __tablename__ = "agent_messages"
    __table_args__ = (UniqueConstraint("run_id", "ordinal", name="uq_agent_messages_ordinal"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    run_id: Mapped[RunId]
    ordinal: Mapped[int]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class Event(Base):
    """Something that happened in a run, for whoever watches it now or later; `ordinal` counts from 1."""

    __tablename__ = "agent_events"
    __table_args__ = (UniqueConstraint("run_id", "ordinal", name="uq_agent_events_ordinal"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    run_id: Mapped[RunId]
    ordinal: Mapped[int]
    kind: Mapped[str]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class Approval(Base):
    """The leave of one person to run one tool once with these arguments; `user_id` is the approver.

    `digest` binds tool, arguments, run and approver; `body` holds the arguments as they are shown, and later the
    result of the effect, so that a run which is taken up again finds it instead of doing it twice.
    """

    __tablename__ = "agent_approvals"
    __table_args__ = (
        CheckConstraint(f"state IN {APPROVAL_STATES}", name="state"),
        UniqueConstraint("run_id", "call_id", name="uq_agent_approvals_call"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_runs.id", ondelete="CASCADE"))
    call_id: Mapped[str | None]
    tool: Mapped[str]
    digest: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    consumed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Memory(Base):
    """A fact that the assistant is told at the start of every run; the person sees, changes and deletes it."""

    __tablename__ = "agent_memories"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_runs.id", ondelete="SET NULL"))
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Schedule(Base):
    """A run that is started by the clock on the wall of a time zone, on all or some days of the week."""

    __tablename__ = "agent_schedules"
    __table_args__ = (Index("ix_agent_schedules_due", "next_at", postgresql_where=text("enabled")),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    agent_id: Mapped[UUID]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    zone: Mapped[str]
    minute_of_day: Mapped[int]
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    next_on: Mapped[date]
    next_at: Mapped[datetime]
    enabled: Mapped[bool]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ScheduleSlot(Base):
    """A time of a schedule that has come; there is one row for each, so that none runs twice."""

    __tablename__ = "agent_schedule_slots"
    __table_args__ = (UniqueConstraint("schedule_id", "due_on", name="uq_agent_schedule_slots_due"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("agent_schedules.id", ondelete="CASCADE"))
    due_on: Mapped[date]
    due_at: Mapped[datetime]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_runs.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]


class ModelCall(Base):
    """What one request to a model took and cost; written with the answer, so it counts once."""

    __tablename__ = "agent_model_calls"
    __table_args__ = (UniqueConstraint("run_id", "step", name="uq_agent_model_calls_step"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_runs.id", ondelete="SET NULL"))
    step: Mapped[int]
    model: Mapped[str]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    credits: Mapped[int]
    created_at: Mapped[CreatedAt]


class VaultRule(Base):
    """What an owner allows of models with a vault: any (`providers` null), none outside (empty), or those named."""

    __tablename__ = "agent_vault_rules"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    providers: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    masked: Mapped[bool]
    updated_at: Mapped[UpdatedAt]
