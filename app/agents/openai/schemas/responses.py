"""Shapes of responses."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from app.agents.added import Function
from app.agents.openai.schemas.common import (
    Arguments,
    CallId,
    Choice,
    DescribedFunction,
    FunctionName,
    ModelName,
    Short,
    Text,
    Tokens,
    Writing,
)
from app.core.schemas import RequestModel, ResponseModel, Whole

ResponseId = Annotated[str, StringConstraints(pattern=r"^resp_[0-9a-f]{32}$")]
ConversationId = Annotated[str, StringConstraints(pattern=r"^conv_[0-9a-f]{32}$")]
Status = Literal["queued", "in_progress", "completed", "failed", "cancelled"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputText(RequestModel):
    """A part of a message: the person's, or one of an earlier answer."""

    type: Literal["input_text", "output_text"]
    text: Text
    annotations: Annotated[list[dict[str, Any]], Field(max_length=1_000)] | None = None
    logprobs: Annotated[list[dict[str, Any]], Field(max_length=0)] | None = None


Content = Text | Annotated[list[InputText], Field(max_length=100)]


def text_of(content: Content) -> str:
    """The text of a message."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content)


class InputMessage(RequestModel):
    """What was said; of an earlier answer only the words count."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    type: Literal["message"] = "message"
    id: Short | None = None
    status: ItemStatus | None = None


class InputCall(RequestModel):
    """A call that an earlier answer handed over."""

    type: Literal["function_call"]
    call_id: CallId
    name: FunctionName
    arguments: Arguments
    id: Short | None = None
    status: ItemStatus | None = None


class InputResult(RequestModel):
    """What a function of the program came to."""

    type: Literal["function_call_output"]
    call_id: CallId
    output: Content
    id: Short | None = None
    status: ItemStatus | None = None


class InputQuestion(RequestModel):
    """What an earlier answer asked approval for; only its row at this service counts."""

    type: Literal["mcp_approval_request"]
    id: Short
    name: Short
    arguments: Arguments
    server_label: Short


class InputDecision(RequestModel):
    """Leave given or refused for what an earlier answer asked for; it counts only from a person who is signed in."""

    type: Literal["mcp_approval_response"]
    approval_request_id: UUID
    approve: StrictBool
    reason: Short | None = None
    id: Short | None = None


Item = InputMessage | InputCall | InputResult | InputQuestion | InputDecision


class FunctionTool(DescribedFunction):
    """A function of the program, which the model may call."""

    type: Literal["function"]


class FileSearch(RequestModel):
    """The vaults that the agent may look into; it searches anyway."""

    type: Literal["file_search"]
    vector_store_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)]


class NamedTool(RequestModel):
    """The function that must be called first."""

    type: Literal["function"]
    name: FunctionName


class TextFormat(RequestModel):
    """The only format of answers."""

    type: Literal["text"]


class TextOptions(RequestModel):
    """How text is formed."""

    format: TextFormat | None = None


class StreamOptions(RequestModel):
    """Nothing is padded here in any case."""

    include_obfuscation: StrictBool | None = None


class ConversationRead(ResponseModel):
    """The conversation that a response belongs to."""

    id: str


class ConversationParam(RequestModel):
    """A conversation to go on with."""

    id: ConversationId


class ResponseRequest(Writing):
    """Something for an agent to answer; with `previous_response_id` or `conversation` it knows what was said."""

    model: ModelName = Field(examples=["lifevault/assistant"])
    input: Text | Annotated[list[Item], Field(min_length=1, max_length=1_000)] = Field(
        examples=["What is the excess on our car insurance?"]
    )
    instructions: Text | None = Field(default=None, examples=[None])
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    background: StrictBool | None = None
    previous_response_id: ResponseId | None = Field(default=None, examples=[None])
    conversation: ConversationId | ConversationParam | None = Field(default=None, examples=[None])
    tools: Annotated[list[FunctionTool | FileSearch], Field(max_length=128)] | None = Field(
        default=None, examples=[None]
    )
    tool_choice: Choice | NamedTool | None = Field(default=None, examples=[None])
    max_output_tokens: Tokens | None = Field(default=None, examples=[None])
    text: TextOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    top_logprobs: Annotated[Whole, Field(ge=0, le=0)] | None = None

    @property
    def functions(self) -> list[Function]:
        """The functions that the model may call."""
        offered = [] if self.tool_choice == "none" else self.tools or []
        return [each.taken for each in offered if isinstance(each, FunctionTool)]

    @property
    def vault_ids(self) -> list[UUID] | None:
        """The vaults that it may look into; None: all."""
        searches = [each for each in self.tools or [] if isinstance(each, FileSearch)]
        return [vault_id for each in searches for vault_id in each.vector_store_ids][:100] or None

    def settings(self) -> dict[str, Any]:
        """In the words of pydantic-ai."""
        chosen: dict[str, Any] = {"max_tokens": self.max_output_tokens}
        if self.functions:
            named = [self.tool_choice.name] if isinstance(self.tool_choice, NamedTool) else None
            chosen["tool_choice"] = named or ("required" if self.tool_choice == "required" else None)
        return super().settings() | {name: value for name, value in chosen.items() if value is not None}


class FileCitation(ResponseModel):
    """Where in the text a citation belongs (`index`), and what proves it.

    `quote` is exactly the characters [start, end) of the page of the document, which is the file.
    """

    type: Literal["file_citation"]
    file_id: UUID
    filename: str
    index: int
    version_id: UUID
    page: int
    start: int
    end: int
    quote: str


class OutputText(ResponseModel):
    """The words of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[FileCitation]
    logprobs: list[Any]


class OutputMessage(ResponseModel):
    """An answer."""

    type: Literal["message"]
    id: str
    role: Literal["assistant"]
    status: ItemStatus
    content: list[OutputText]


class OutputCall(ResponseModel):
    """A function of the program that the model calls; its arguments are JSON."""

    type: Literal["function_call"]
    id: str
    call_id: str
    name: str
    arguments: str
    status: ItemStatus


class OutputQuestion(ResponseModel):
    """Something that the agent may only do if the person allows it; its arguments are JSON."""

    type: Literal["mcp_approval_request"]
    id: str
    name: str
    arguments: str
    server_label: str


class Fault(ResponseModel):
    """Why there is no answer."""

    code: Literal["server_error"]
    message: str


class InputDetails(ResponseModel):
    """Nothing is read from caches of providers as far as is known here."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(ResponseModel):
    """Reasoning is not counted for itself."""

    reasoning_tokens: int


class Usage(ResponseModel):
    """Tokens of language models; 0 when none was asked."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ResponseRead(ResponseModel):
    """An answer with its evidence."""

    id: str
    object: Literal["response"]
    created_at: float
    completed_at: float | None
    status: Status
    background: bool
    error: Fault | None
    incomplete_details: None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str] | None
    model: str
    output: list[OutputMessage | OutputCall | OutputQuestion]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: ConversationRead | None
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["auto", "disabled"]
    usage: Usage | None


class ResponseDeleted(ResponseModel):
    """What was deleted."""

    id: str
    object: Literal["response"]
    deleted: bool
