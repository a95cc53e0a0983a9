"""The agents that come with the product; they can be run by everybody and changed by nobody."""

from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from app.agents.schemas import Definition

READING: Final = [
    *("search_documents", "read_page", "summarise_document", "compare_policies"),
    *("list_vaults", "list_items", "read_item", "list_reminders"),
]
WRITING: Final = ["create_item", "update_item", "remember", "propose_reminder", "draft_letter", "export_dossier"]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An agent of ours; its id never changes."""

    id: UUID
    slug: str
    definition: Definition


def _made(slug: str, name: str, description: str, instructions: str, tools: list[str]) -> BuiltIn:
    definition = Definition(name=name, description=description, instructions=instructions, tools=tools)
    return BuiltIn(uuid5(NAMESPACE_URL, f"urn:lifevault:agent:{slug}"), slug, definition)


ASSISTANT: Final = _made(
    "assistant",
    "Vault assistant",
    "Answers from your own papers, and prepares records for you to approve.",
    "Answer the person's question from their documents and records. Search before you answer.",
    [*READING, *WRITING],
)
LIFE_CHECK: Final = _made(
    "life-check",
    "Life check",
    "Looks for what is missing, about to expire, or contradictory.",
    "Look through the records and documents. Report what is missing, expired or about to expire, and what contradicts "
    "something else, each with its evidence, the most urgent first.",
    ["life_check", *READING],
)
LEGACY: Final = _made(
    "legacy",
    "Legacy helper",
    "Walks through what the people you leave behind would need.",
    "Help the person to prepare what their family would need to know: wills, insurances, accounts, wishes. Find what "
    "is there, name what is missing, and suggest one next step at a time.",
    ["legacy_check", *READING],
)
BUILT_IN: Final = {each.id: each for each in (ASSISTANT, LIFE_CHECK, LEGACY)}
