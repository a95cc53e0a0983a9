"""What a tool gives back, framed as data: no document can end its frame, begin another, or speak as somebody.

The frame carries a code made for this one result; tokens with which chat templates mark roles are broken up.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Final

from app.agents.tools.registry import Quote, ToolResult

_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?|<])")
_ROLE: Final = re.compile(r"\[(/?)(INST|SYS|TOOL_CALLS|AVAILABLE_TOOLS)\]", re.IGNORECASE)


def harmless(text: str) -> str:
    """The text without markup that a chat template or a tool protocol might take for its own."""
    return _ROLE.sub(r"(\1\2)", _MARKUP.sub("\u2039", text))


def framed(result: ToolResult, first: int) -> str:
    """A result as it is sent to a model; its passages are numbered from `first`."""
    code = secrets.token_hex(8)
    parts = [_frame(code, f"passage {number}", _said(quote)) for number, quote in enumerate(result.citations, first)]
    if result.text or not parts:
        parts.insert(0, _frame(code, "result", result.text or "Nothing was found."))
    return "\n".join(parts)


def _said(quote: Quote) -> str:
    title = " ".join(quote.title.split())
    return f"Document {quote.document_id}: {title} (page {quote.page})\n{quote.quote}"


def _frame(code: str, label: str, text: str) -> str:
    return f"--- {code} {label} begins ---\n{harmless(text)}\n--- {code} {label} ends ---"


def listed(title: str, lines: Sequence[str]) -> str:
    """Lines of the person's own notes, framed."""
    return _frame(secrets.token_hex(8), title, "\n".join(lines))
