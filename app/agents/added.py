"""What a program adds to a run that it starts for a person; none of it is taken for the person's words or for ours."""

from typing import Any, Final

from app.core.schemas import ResponseModel


class Function(ResponseModel):
    """A function of the program: when a model calls it, the run ends and the call is handed over."""

    name: str
    description: str
    parameters: dict[str, Any]


class Added(ResponseModel):
    """Sealed with the run. Messages are in the form of `app.agents.history.dumped`.

    `given`: what was said before, instead of what the conversation holds. `first`: what the run begins with, instead of
    the person's message. `settings`: how the model should write, in the words of pydantic-ai. `echo`: what the face
    shows again beside the answer.
    """

    instructions: str
    functions: list[Function]
    given: list[Any] | None
    first: Any | None
    settings: dict[str, Any]
    echo: dict[str, Any]


NOTHING: Final = Added(instructions="", functions=[], given=None, first=None, settings={}, echo={})


class Call(ResponseModel):
    """A call of a function that a run handed over."""

    id: str
    name: str
    arguments: str
