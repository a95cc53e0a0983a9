"""The built-in model: searches once for what was asked and quotes what answers best. No document can make it do more.

It is told nothing but by tools of ours: what a page says is only ever quoted. Import it lazily, for what it stands on.
"""

from typing import Any, Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings

from app.agents.tools.registry import Quote
from app.rag.answering import NOTHING_FOUND

NAME: Final = "extractive"
SEARCH: Final = "search_documents"
REPORTS: Final = ("life_check", "legacy_check")
"""Tools whose result is an answer as it stands; an agent that has one is asked for nothing else."""
MOST_ASKED: Final = 2_000
NEEDS_MODEL: Final = "This agent has no search among its tools, and without a language model nothing else can be done."


class ExtractiveModel(Model):
    """Answers from `search_documents` with verbatim quotes, or says that nothing was found."""

    @property
    def model_name(self) -> str:
        """Its name."""
        return NAME

    @property
    def system(self) -> str:
        """Who provides it."""
        return "lifevault"

    @property
    def provider(self) -> None:
        """Nobody."""
        return None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,  # noqa: ARG002  of the interface
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Search, then quote."""
        question, found = _asked(messages)
        if found is not None:
            return _reporting(found) if found.tool_name in REPORTS else _quoting(found)
        offered = [tool.name for tool in model_request_parameters.function_tools]
        if report := next((name for name in offered if name in REPORTS), None):
            return ModelResponse([ToolCallPart(report, {})], model_name=NAME)
        if SEARCH in offered:
            call = ToolCallPart(SEARCH, {"query": " ".join(question.split())[:MOST_ASKED] or "?"})
            return ModelResponse([call], model_name=NAME)
        return ModelResponse([TextPart(NEEDS_MODEL)], model_name=NAME)


def _asked(messages: list[ModelMessage]) -> tuple[str, ToolReturnPart | None]:
    """What the person asked last, and what a search since then has found."""
    question, found = "", None
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                question, found = str(part.content), None
            elif isinstance(part, ToolReturnPart) and part.tool_name in (SEARCH, *REPORTS):
                found = part
    return question, found


def _quoting(found: ToolReturnPart) -> ModelResponse:
    """The quotes that the search chose, each with its place as the proof."""
    known: dict[str, Any] = found.metadata or {}
    quotes = [Quote.model_validate(each) for each in known.get("citations", [])]
    chosen = [_cut(quotes[index], start, end) for index, start, end in known.get("best", [])]
    lines = [f"“{' '.join(quote.quote.split())}” [{number}]" for number, quote in enumerate(chosen, 1)]
    proof = {"citations": [quote.model_dump(mode="json") for quote in chosen]}
    text = "\n".join(lines) or NOTHING_FOUND
    return ModelResponse([TextPart(text, provider_name=NAME, provider_details=proof)], model_name=NAME)


def _reporting(found: ToolReturnPart) -> ModelResponse:
    """What the report says, out of its frame; what documents say is its proof."""
    lines = str(found.content).split("\n")
    edges = [at for at, line in enumerate(lines) if line.endswith(("result begins ---", "result ends ---"))]
    text = "\n".join(lines[edges[0] + 1 : edges[-1]]) if len(edges) > 1 else ""
    proof = {"citations": (found.metadata or {}).get("citations", [])}
    return ModelResponse([TextPart(text or NOTHING_FOUND, provider_name=NAME, provider_details=proof)], model_name=NAME)


def _cut(quote: Quote, start: int, end: int) -> Quote:
    place = {"start": quote.start + start, "end": quote.start + end, "quote": quote.quote[start:end]}
    return quote.model_copy(update=place)
