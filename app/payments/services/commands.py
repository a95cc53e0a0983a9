"""What a command to the provider is, and what each kind of command does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.payments.providers.port import LookUp, Operation, Provider

State: TypeAlias = Literal["created", "sent", "succeeded", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that this process holds the lease of. `secret` is what a person wrote."""

    id: UUID
    family_id: UUID
    kind: str
    subject: str
    request: Mapping[str, Any]
    tries: int
    is_uncertain: bool
    """Whether an earlier try may have reached the provider."""
    first_sent_at: datetime
    secret: Mapping[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> Operation:
        """The command as the provider knows it."""
        return Operation(self.id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a command is; `provider_id` is what it made or changed."""

    operation_id: UUID
    state: State
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted. `prepare` reserves what it needs, in the transaction that writes it down, if it is new."""

    family_id: UUID
    kind: str
    subject: str
    request: Mapping[str, Any] = field(default_factory=dict)
    cause: UUID | None = None
    owner_id: UUID | None = None
    secret: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[AsyncSession, UUID], Awaitable[None]] | None = None


Step: TypeAlias = Callable[[AsyncSession, Command], Awaitable[None]]
LastStep: TypeAlias = Callable[[AsyncSession, Command, str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """What a kind of command does, from its row alone; every part may run again.

    `call` sends it and returns the id of what it made or changed. `find` or `look` says what came of it when the
    provider has forgotten the key; without them it is one that may be sent again at any time, as it only sets a state.
    `done` and `undo` belong to the transactions that record success and failure. `follow` then fetches what has
    changed, and `finish` gives up what was reserved until that was seen. One that `insists` is sent until it arrives.
    """

    call: Callable[[Provider, Command], Awaitable[str | None]]
    find: LookUp | None = None
    look: Callable[[Provider, Command], Awaitable[str | None]] | None = None
    done: LastStep | None = None
    undo: Step | None = None
    follow: Callable[[Provider, Command, str | None], Awaitable[None]] | None = None
    finish: LastStep | None = None
    insists: bool = False


HANDLERS: Final[dict[str, Handler]] = {}
