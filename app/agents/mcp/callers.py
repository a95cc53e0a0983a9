"""For whom a request of MCP is."""

from typing import Any

from app.agents.mcp.mount import CALLER
from app.auth.principal import Principal


def caller_of(context: Any) -> Principal:
    """The caller that was found before the SDK saw the request."""
    principal: Principal = context.request.scope[CALLER]
    return principal
