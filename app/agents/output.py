"""What a model wrote, made fit to be shown: proven citations, no links and pictures that could carry something away."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlsplit

from app.agents.tools.registry import Quote

_MARKDOWN: Final = re.compile(r"!?\[([^\]\n]{0,500})\]\(\s*<?([^)\s>]{0,4000})[^)\n]{0,500}\)")
_DEFINED: Final = re.compile(r"^[ \t]*\[[^\]\n]{1,200}\]:[ \t]*\S.*$", re.MULTILINE)
_HTML: Final = re.compile(r"</?[A-Za-z!][^>\n]{0,4000}>?")
_URL: Final = re.compile(
    r"(?:\b[A-Za-z][A-Za-z0-9+.-]{1,20}:)?//[^\s<>\"'”)\]]+|\b(?:data|javascript|mailto):[^\s<>\"']+|\bwww\.[^\s<>\"'”)\]]+"
    r"|\b(?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z]{2,24}(?::\d{1,5})?[/?][^\s<>\"'”)\]]*",
    re.IGNORECASE,
)
REMOVED: Final = "[link removed]"


def without_links(text: str, allowed_hosts: frozenset[str]) -> str:
    """The text without links and pictures whose host is not allowed; what a link was called stays."""
    text = _DEFINED.sub("", text)
    text = _MARKDOWN.sub(lambda match: match[0] if _is_allowed(match[2], allowed_hosts) else match[1], text)
    text = _HTML.sub("", text)
    return _URL.sub(lambda match: match[0] if _is_allowed(match[0], allowed_hosts) else REMOVED, text)


def _is_allowed(url: str, allowed_hosts: frozenset[str]) -> bool:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        return parts.scheme in ("", "http", "https") and parts.hostname in allowed_hosts and "@" not in parts.netloc
    except ValueError:
        return False


def proven(text: str, quotes: Sequence[Quote]) -> tuple[str, list[dict[str, Any]]]:
    """The text with markers that are proven by the passages that the run has read, and their citations."""
    from app.rag.citations import resolve  # noqa: PLC0415  brings NumPy
    from app.rag.ranking import Hit  # noqa: PLC0415

    hits = [
        Hit(
            document_id=quote.document_id,
            version_id=quote.version_id,
            vault_id=quote.vault_id,
            title=quote.title,
            page=quote.page,
            start=quote.start,
            end=quote.end,
            text=quote.quote,
            score=0.0,
        )
        for quote in quotes
    ]
    shown, citations = resolve(text, hits)
    return shown, [{name: _plain(value) for name, value in asdict(each).items()} for each in citations]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)
