"""What identifies people, replaced by placeholders before it leaves, and put back into what comes in.

The same history gives the same placeholders, so nothing about them has to be kept.
"""

import re
from typing import Any, Final

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse

_KINDS: Final = (
    ("EMAIL", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}")),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")),
    ("PHONE", re.compile(r"(?<![\w.-])(?!\d{4}-\d{2}-\d{2})\+?\(?\d{2,4}\)?(?:[ /-]?\d{2,4}){2,6}(?![\w.])")),
    ("NUMBER", re.compile(r"\b(?=[A-Z0-9-]*\d{3})[A-Z]{1,3}-?\d{5,12}[A-Z]?\b")),
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PLACEHOLDER: Final = re.compile(r"\[\[(?:EMAIL|IBAN|PHONE|NUMBER)_\d+\]\]")
_OURS: Final = ("content", "args")
"""Where text stands in a message; everything else is ours and stays."""


class Mask:
    """The placeholders of one request."""

    def __init__(self) -> None:
        self._by_value: dict[str, str] = {}
        self._by_placeholder: dict[str, str] = {}

    def masked(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        """The messages without what identifies people."""
        dumped = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
        for message in dumped:
            if message.get("instructions"):
                message["instructions"] = self.hide(message["instructions"])
            for part in message["parts"]:
                part.pop("metadata", None)  # of our own use, and never sent
                for name in _OURS:
                    if name in part:
                        part[name] = each_text(part[name], self.hide)
        return ModelMessagesTypeAdapter.validate_python(dumped)

    def unmasked(self, answer: ModelResponse) -> ModelResponse:
        """The answer with what stood there."""
        dumped = ModelMessagesTypeAdapter.dump_python([answer], mode="json")
        for part in dumped[0]["parts"]:
            for name in _OURS:
                if name in part:
                    part[name] = each_text(part[name], self.show)
        (shown,) = ModelMessagesTypeAdapter.validate_python(dumped)
        assert isinstance(shown, ModelResponse)  # noqa: S101
        return shown

    def hide(self, text: str) -> str:
        """The text with placeholders."""
        for kind, pattern in _KINDS:
            text = pattern.sub(lambda match, kind=kind: self._placeholder(kind, match[0]), text)  # type: ignore[misc]
        return text

    def show(self, text: str) -> str:
        """The text with what the placeholders stand for; others are left as they are."""
        return _PLACEHOLDER.sub(lambda match: self._by_placeholder.get(match[0], match[0]), text)

    def _placeholder(self, kind: str, value: str) -> str:
        if _DATE.fullmatch(value.strip()) or _ID.search(value):
            return value
        if value not in self._by_value:
            placeholder = f"[[{kind}_{len(self._by_value) + 1}]]"
            self._by_value[value], self._by_placeholder[placeholder] = placeholder, value
        return self._by_value[value]


def each_text(value: Any, change: Any) -> Any:
    """Every text within a JSON value, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [each_text(each, change) for each in value]
    if isinstance(value, dict):
        return {name: each_text(each, change) for name, each in value.items()}
    return value
