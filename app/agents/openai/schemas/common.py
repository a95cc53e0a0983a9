"""Shapes that several routes share."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, StringConstraints

from app.agents.added import Function
from app.agents.schemas import ApprovalRead
from app.core.schemas import Clean, NumberOnly, RequestModel, ResponseModel, Whole

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=100), Clean]
Text = Annotated[str, StringConstraints(max_length=100_000), Clean]
Short = Annotated[str, StringConstraints(max_length=512), Clean]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=200), Clean]
Arguments = Annotated[str, StringConstraints(max_length=100_000), Clean]
Metadata = Annotated[dict[Short, Short], Field(max_length=16)]
Choice = Literal["none", "auto", "required"]
NO_PARAMETERS: Final = {"type": "object", "properties": {}}


Temperature = Annotated[float, Field(ge=0, le=2), NumberOnly]
Share = Annotated[float, Field(ge=0, le=1), NumberOnly]
Penalty = Annotated[float, Field(ge=-2, le=2), NumberOnly]
Tokens = Annotated[Whole, Field(ge=1, le=1_000_000)]


class Writing(RequestModel):
    """How the model should write, and marks of the client that change nothing."""

    temperature: Temperature | None = None
    top_p: Share | None = None
    parallel_tool_calls: StrictBool | None = None
    metadata: Metadata | None = None
    user: Short | None = None
    safety_identifier: Short | None = None
    prompt_cache_key: Short | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: StrictBool | None = None

    def settings(self) -> dict[str, Any]:
        """In the words of pydantic-ai; what is left out is left to the provider."""
        chosen = {name: getattr(self, name) for name in ("temperature", "top_p", "parallel_tool_calls")}
        return {name: value for name, value in chosen.items() if value is not None}


class DescribedFunction(RequestModel):
    """What a function of the client's is and takes, as a JSON Schema of an object."""

    name: FunctionName = Field(examples=["book_appointment"])
    description: Annotated[str, StringConstraints(max_length=4_000), Clean] | None = None
    parameters: dict[str, Any] | None = Field(default=None, examples=[NO_PARAMETERS])
    strict: StrictBool | None = None

    @property
    def taken(self) -> Function:
        """As a run takes it."""
        parameters = self.parameters or NO_PARAMETERS
        return Function(name=self.name, description=self.description or "", parameters=parameters)


class Waiting(ResponseModel):
    """What stands behind an answer: the run, and what it needs the person's approval for before it goes on."""

    run_id: str
    approvals: list[ApprovalRead]
