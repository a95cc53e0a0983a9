"""Prompts of MCP: what people often want of their papers, in words that a host puts before its model."""

from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from app.agents.catalogue import LEGACY, LIFE_CHECK

LONGEST_ARGUMENT: Final = 2_000
CITING: Final = "Search with the tools first, and name document and page behind every statement."


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with places for its arguments, which are all needed."""

    name: str
    description: str
    text: str
    arguments: tuple[tuple[str, str], ...] = ()


PROMPTS: Final = {
    each.name: each
    for each in (
        Prompt(
            "ask",
            "Answer a question from the person's papers.",
            f"Answer from my papers: {{question}}\n{CITING}",
            (("question", "What the person wants to know."),),
        ),
        Prompt(
            "what_expires",
            "List what expires soon.",
            f"What of my papers and records expires or must be renewed within {{days}} days? {CITING}",
            (("days", "A number of days."),),
        ),
        Prompt(
            "compare",
            "Compare two policies or contracts.",
            f"Compare {{first}} with {{second}}: cover, excess, price, notice, what one of them lacks. {CITING}",
            (("first", "One of them."), ("second", "The other.")),
        ),
        Prompt("life_check", LIFE_CHECK.definition.description, f"{LIFE_CHECK.definition.instructions} {CITING}"),
        Prompt("legacy", LEGACY.definition.description, f"{LEGACY.definition.instructions} {CITING}"),
    )
}


async def list_prompts(_: Any, __: Any) -> types.ListPromptsResult:
    """Every prompt."""
    return types.ListPromptsResult(
        prompts=[
            types.Prompt(
                name=each.name,
                description=each.description,
                arguments=[
                    types.PromptArgument(name=name, description=told, required=True) for name, told in each.arguments
                ],
            )
            for each in PROMPTS.values()
        ]
    )


async def get_prompt(_: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    """A prompt with its arguments."""
    prompt = PROMPTS.get(params.name)
    given = params.arguments or {}
    if prompt is None or set(given) != {name for name, _ in prompt.arguments}:
        raise MCPError(types.INVALID_PARAMS, "There is no such prompt with these arguments")
    text = prompt.text.format(**{name: value[:LONGEST_ARGUMENT] for name, value in given.items()})
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=prompt.description, messages=[message])
