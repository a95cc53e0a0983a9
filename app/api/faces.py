"""Faces: paths whose clients expect errors in a form that others have fixed, instead of problems."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.schemas import ResponseModel

PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Face:
    """Below `prefix` a problem is shown as `shape` makes it, described by `model`.

    `statuses`: the status that stands for one of ours.
    """

    prefix: str
    shape: Callable[[Mapping[str, Any]], dict[str, Any]]
    model: type[ResponseModel]
    statuses: Mapping[int, int] = field(default_factory=dict)

    def status(self, ours: int) -> int:
        """The status that stands for one of ours."""
        return self.statuses.get(ours, ours)

    def describe(self, operation: dict[str, Any]) -> None:
        """Say in OpenAPI how the errors of an operation look here."""
        responses = operation["responses"]
        for status in [each for each, response in responses.items() if PROBLEM in response.get("content", {})]:
            response = responses.pop(status)
            examples = response.pop("content")[PROBLEM]["examples"]
            known = responses.setdefault(str(self.status(int(status))), {**response, "content": {}})
            shown = known["content"].setdefault("application/json", {"examples": {}, "schema": self._reference})
            for code, example in examples.items():
                shown["examples"][code] = {**example, "value": self.shape(example["value"])}

    @property
    def _reference(self) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{self.model.__name__}"}


FACES: Final[list[Face]] = []


def face_of(path: str) -> Face | None:
    """The face that a path belongs to, if any."""
    return next((face for face in FACES if path.startswith(face.prefix)), None)
