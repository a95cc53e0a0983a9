"""Shapes of chat completions."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, WithJsonSchema

from app.agents.openai.schemas.common import (
    Arguments,
    CallId,
    Choice,
    DescribedFunction,
    FunctionName,
    ModelName,
    Penalty,
    Short,
    Text,
    Tokens,
    Waiting,
    Writing,
)
from app.agents.schemas import Scope
from app.core.schemas import RequestModel, ResponseModel, Whole


def _must_be_false(value: bool) -> bool:
    if value:
        raise ValueError("is not offered")
    return value


No = Annotated[StrictBool, AfterValidator(_must_be_false), WithJsonSchema({"const": False, "type": "boolean"})]


class TextPart(RequestModel):
    """A part of a message."""

    type: Literal["text"]
    text: Text


Content = Text | Annotated[list[TextPart], Field(min_length=1, max_length=100)]


def text_of(content: Content | None) -> str:
    """The text of a message."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content)


class InstructionMessage(RequestModel):
    """What the program adds to the instructions of the agent."""

    role: Literal["system", "developer"]
    content: Content
    name: Short | None = None


class UserMessage(RequestModel):
    """What the person said."""

    role: Literal["user"]
    content: Content
    name: Short | None = None


class CalledFunction(RequestModel):
    """A function that was called; the arguments are JSON."""

    name: FunctionName
    arguments: Arguments


class FunctionCall(RequestModel):
    """A call that an answer handed over."""

    id: CallId
    type: Literal["function"]
    function: CalledFunction


class AssistantMessage(RequestModel):
    """What was answered. Only its words and calls count: annotations prove nothing when they come from a client."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: Annotated[list[FunctionCall], Field(max_length=100)] | None = None
    name: Short | None = None
    refusal: Text | None = None
    annotations: Annotated[list[dict[str, Any]], Field(max_length=1_000)] | None = None
    audio: None = None
    function_call: None = None


class ToolMessage(RequestModel):
    """What a function of the program came to."""

    role: Literal["tool"]
    content: Content
    tool_call_id: CallId


Message = Annotated[
    InstructionMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]


class FunctionTool(RequestModel):
    """A function of the program, which the model may call."""

    type: Literal["function"]
    function: DescribedFunction


class NamedFunction(RequestModel):
    """A name."""

    name: FunctionName


class NamedTool(RequestModel):
    """The function that must be called first."""

    type: Literal["function"]
    function: NamedFunction


class StreamOptions(RequestModel):
    """Whether the last chunk tells the usage."""

    include_usage: StrictBool | None = None
    include_obfuscation: StrictBool | None = None


class PlainText(RequestModel):
    """The only format of answers."""

    type: Literal["text"]


class ChatRequest(Writing):
    """A conversation that an agent goes on with. Agents have tools of their own; `tools` are the program's."""

    model: ModelName = Field(examples=["lifevault/assistant"])
    messages: Annotated[list[Message], Field(min_length=1, max_length=1_000)] = Field(
        examples=[[{"role": "user", "content": "What is the excess on our car insurance?"}]]
    )
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = Field(default=None, examples=[None])
    tool_choice: Choice | NamedTool | None = Field(default=None, examples=[None])
    n: Annotated[Whole, Field(ge=1, le=1)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    stop: Short | Annotated[list[Short], Field(max_length=4)] | None = Field(default=None, examples=[None])
    seed: Annotated[Whole, Field(ge=-(2**31), le=2**31 - 1)] | None = Field(default=None, examples=[None])
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logprobs: No | None = None
    response_format: PlainText | None = None
    vault_ids: Scope | None = Field(
        default=None, description="Of this service: narrows the scope of the agent.", examples=[None]
    )

    def settings(self) -> dict[str, Any]:
        """In the words of pydantic-ai."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        chosen = {
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "seed": self.seed,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "stop_sequences": [each for each in stop or [] if each] or None,
            "tool_choice": _choice(self.tool_choice) if self.tools else None,
        }
        return super().settings() | {name: value for name, value in chosen.items() if value is not None}


def _choice(chosen: Choice | NamedTool | None) -> str | list[str] | None:
    if isinstance(chosen, NamedTool):
        return [chosen.function.name]
    return "required" if chosen == "required" else None


class UrlCitation(ResponseModel):
    """Where a marker stands in the answer, and what proves it.

    `quote` is exactly the characters [start, end) of the page of the document.
    """

    start_index: int
    end_index: int
    title: str
    url: str
    document_id: UUID
    version_id: UUID
    page: int
    start: int
    end: int
    quote: str


class Annotation(ResponseModel):
    """A citation."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class CalledRead(ResponseModel):
    """The function to call; its arguments are JSON."""

    name: str
    arguments: str


class CallRead(ResponseModel):
    """A function of the program that the model calls."""

    id: str
    type: Literal["function"]
    function: CalledRead


class Reply(ResponseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[Annotation]
    tool_calls: list[CallRead] | None


class ChatChoice(ResponseModel):
    """The one answer."""

    index: int
    message: Reply
    logprobs: None
    finish_reason: Literal["stop", "tool_calls"]


class Usage(ResponseModel):
    """Tokens of language models; 0 when none was asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatRead(ResponseModel):
    """An answer with its evidence."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    lifevault: Waiting
