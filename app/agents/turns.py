"""What was said before a question, and the question: turns of a client's history, whatever its words for them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Said:
    """The person's words."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An earlier answer: words, and calls (id, name, arguments as JSON) of functions of the client."""

    text: str
    calls: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function of the client came to."""

    call_id: str
    output: str


Turn = Said | Answered | Returned
