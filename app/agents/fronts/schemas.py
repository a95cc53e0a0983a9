"""Shapes of what front ends send. They send more than is read here, their whole history above all; that is ignored."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from pydantic.alias_generators import to_camel

from app.agents.added import Function
from app.core.schemas import Clean

Thread = Annotated[str, StringConstraints(min_length=1, max_length=200), Clean]
Words = Annotated[str, StringConstraints(max_length=100_000), Clean]
INTERRUPT: Final = "int-"
NO_PARAMETERS: Final = {"type": "object", "properties": {}}


class FrontModel(BaseModel):
    """Camel case, and whatever else a version of a protocol sends."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, json_schema_extra={"additionalProperties": True})


class VercelMessage(FrontModel):
    """A message as the AI SDK shows it."""

    role: Literal["system", "user", "assistant"]
    parts: Annotated[list[dict[str, Any]], Field(max_length=1_000)]


class VercelRequest(FrontModel):
    """What `useChat` of the AI SDK sends (version 5 and later); only its last message counts."""

    id: Thread = Field(examples=["chat-1"])
    messages: Annotated[list[VercelMessage], Field(min_length=1, max_length=10_000)] = Field(
        examples=[[{"role": "user", "parts": [{"type": "text", "text": "When does our car insurance end?"}]}]]
    )
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"


class Responded(BaseModel):
    """What a person decided; anything but true and false is no decision."""

    id: UUID
    approved: StrictBool


class RespondedPart(BaseModel):
    """A call of a tool in the state of having been decided about."""

    state: Literal["approval-responded"]
    approval: Responded


class AgUiMessage(FrontModel):
    """A message of AG-UI; `content` is text, or parts of which the text is read."""

    role: Annotated[str, StringConstraints(max_length=40)]
    content: Words | list[Any] | dict[str, Any] | None = None
    tool_call_id: Annotated[str, StringConstraints(max_length=200), Clean] | None = None


class AgUiTool(FrontModel):
    """A function of the front end."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Words = ""
    parameters: dict[str, Any] | None = None

    @property
    def taken(self) -> Function:
        """As a run takes it."""
        parameters = self.parameters or NO_PARAMETERS
        return Function(name=self.name, description=self.description, parameters=parameters)


class AgUiContext(FrontModel):
    """What the front end tells about where the person is."""

    description: Words
    value: Words


class AgUiPayload(FrontModel):
    """What a person decided. Arguments can't be changed: then it would be another thing that is allowed."""

    approved: StrictBool
    edited_args: dict[str, Any] | None = None


class AgUiResume(FrontModel):
    """The answer to one interrupt."""

    interrupt_id: Annotated[str, StringConstraints(pattern=rf"^{INTERRUPT}[0-9a-fA-F-]{{36}}$")]
    status: Literal["resolved", "cancelled"]
    payload: AgUiPayload | None = None


class AgUiRequest(FrontModel):
    """A run of AG-UI; of the messages only those after the last answer count."""

    thread_id: Thread = Field(examples=["thread-1"])
    run_id: Thread = Field(examples=["run-1"])
    messages: Annotated[list[AgUiMessage], Field(max_length=10_000)] = Field(
        examples=[[{"id": "1", "role": "user", "content": "When does our car insurance end?"}]]
    )
    tools: Annotated[list[AgUiTool], Field(max_length=128)] | None = Field(default=None, examples=[None])
    context: Annotated[list[AgUiContext], Field(max_length=50)] | None = Field(default=None, examples=[None])
    resume: Annotated[list[AgUiResume], Field(max_length=50)] | None = Field(default=None, examples=[None])
    protocol_version: Annotated[str, StringConstraints(max_length=20)] | None = Field(default=None, examples=[None])
