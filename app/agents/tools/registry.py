"""Tools: what an agent, an MCP host or a chat client may call; reading is free, every effect needs an approval."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.errors import UnknownTool
from app.auth.principal import Principal
from app.core.errors import Forbidden
from app.core.schemas import RequestModel, ResponseModel
from app.db.session import session_scope

Effect = Literal["read", "write"]


class Quote(ResponseModel):
    """A located quote: exactly the characters [start, end) of that page of the document version."""

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    title: str
    page: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`text` is for a model, `data` (JSON) for programs, `citations` are passages that an answer may rest on.

    `best`: which of them, as (index, start, end) within the quote, the built-in model would answer with.
    """

    text: str
    data: Any = None
    citations: list[Quote] = field(default_factory=list)
    best: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a tool runs, and within which vaults (None: all that the principal sees); ids only ever narrow that.

    Within an effect's transaction `bound` is its session.
    """

    principal: Principal
    run_id: UUID | None = None
    vault_ids: tuple[UUID, ...] | None = None
    bound: AsyncSession | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """The transaction to work in: the effect's own, or one for this call."""
        if self.bound is not None:
            yield self.bound
            return
        async with session_scope(self.principal.actor) as session:
            yield session

    def within(self, session: AsyncSession) -> "ToolContext":
        """The same, in this transaction."""
        return replace(self, bound=session)

    def may_see(self, vault_id: UUID) -> bool:
        """Whether something of that vault is in scope."""
        return self.vault_ids is None or vault_id in self.vault_ids


@dataclass(frozen=True)
class Tool:
    """One tool. A `write` tool is run by `app.agents.effects.perform` alone, which consumes an approval."""

    name: str
    description: str
    parameters: type[RequestModel]
    effect: Effect
    run: Callable[[ToolContext, Any], Awaitable[ToolResult]]
    scope: str = "vault:read"

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return self.parameters.model_json_schema()

    def parsed(self, arguments: Any) -> Any:
        """The arguments, checked. Raises `ValidationError`."""
        return self.parameters.model_validate(arguments)

    def require_scope(self, principal: Principal) -> None:
        """See that the principal may use it. Raises `Forbidden`."""
        if self.scope not in principal.scopes:
            raise Forbidden(f"The token lacks the scope {self.scope}")


_registered: Final[dict[str, Tool]] = {}
TOOLS: Final[Mapping[str, Tool]] = MappingProxyType(_registered)
"""Every tool by name; `app.agents.tools.everything` fills it."""


def register(tool: Tool) -> Tool:
    """Add a tool."""
    _registered[tool.name] = tool
    return tool


def tool_of(name: str) -> Tool:
    """A tool by its name. Raises `UnknownTool`."""
    if name not in TOOLS:
        raise UnknownTool
    return TOOLS[name]


def complaint(error: ValidationError) -> str:
    """What is wrong with arguments, for a model: places and reasons, never values."""
    lines = [f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors()[:10]]
    return "The arguments are not valid. " + "; ".join(lines)


async def run_reading(context: ToolContext, name: str, arguments: Any) -> ToolResult:
    """Run a tool that only reads. Raises `UnknownTool`, `ValidationError`, `Forbidden`, errors of the services."""
    tool = tool_of(name)
    if tool.effect != "read":
        raise Forbidden("This tool has an effect and needs an approval")
    tool.require_scope(context.principal)
    return await tool.run(context, tool.parsed(arguments))
