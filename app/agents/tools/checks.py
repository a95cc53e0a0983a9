"""The checks as tools: one sentence a line, what documents say as passages."""

from collections.abc import Sequence

from app.agents.checks import service
from app.agents.checks.schemas import Evidence
from app.agents.tools.registry import Quote, Tool, ToolContext, ToolResult, register
from app.core.schemas import RequestModel
from app.vault import service as vaults

NOTHING = "Nothing was found that needs attention."
MOST_LINES = 40


class NoChoice(RequestModel):
    """Nothing to choose."""


async def life_check(context: ToolContext, _: NoChoice) -> ToolResult:
    """What is missing, ends soon or contradicts something."""
    if context.vault_ids == ():
        return ToolResult(NOTHING, {"findings": []})
    async with context.session() as session:
        found = await service.life_check(session, context.principal, context.vault_ids)
        evidence = [each for finding in found.findings[:MOST_LINES] for each in finding.evidence]
        citations = await _quotes(context, evidence)
    lines = [f"- {finding.text}" for finding in found.findings[:MOST_LINES]]
    return ToolResult("\n".join(lines) or NOTHING, found.model_dump(mode="json"), citations)


async def legacy_check(context: ToolContext, _: NoChoice) -> ToolResult:
    """What is prepared for the people one leaves behind."""
    if context.vault_ids == ():
        return ToolResult(NOTHING, {"areas": []})
    async with context.session() as session:
        found = await service.legacy_check(session, context.principal, context.vault_ids)
    lines = [f"- {area.question} {area.next_step or 'Prepared.'}" for area in found.areas]
    return ToolResult("\n".join(lines), found.model_dump(mode="json"))


async def _quotes(context: ToolContext, evidence: Sequence[Evidence]) -> list[Quote]:
    """Evidence with the vault that each document is in now."""
    quotes = []
    async with context.session() as session:
        for each in evidence:
            document = await vaults.read_document(session, context.principal, each.document_id)
            quotes.append(Quote(vault_id=document.vault_id, **each.model_dump()))
    return quotes


register(
    Tool(
        "life_check",
        "Look through all records and what they were made of; lists what is missing, ends soon or is contradictory.",
        NoChoice,
        "read",
        life_check,
    )
)
register(
    Tool(
        "legacy_check",
        "List what is prepared for the people the person leaves behind, and what to do next.",
        NoChoice,
        "read",
        legacy_check,
    )
)
