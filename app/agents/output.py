"""What a model wrote, made fit to be shown: proven citations, no links and pictures that could carry something away."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlsplit

from app.agents.tools.registry import Quote
from app.rag.plain import plain

_LINK: Final = re.compile(
    r"!?\[([^\[\]\n]{0,500})\]\(\s{0,5}(https?://[^\s()<>]{1,2000})\s{0,5}\)|(?<![\w/:.@(\[<-])https?://[^\s()<>\[\]\"']{1,2000}"
)

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def without_links(text: str, allowed_hosts: frozenset[str]) -> str:
    """The text without links and pictures whose host is not allowed, tags, and characters that nobody sees.

    What a link was called stays.
    """
    pieces, begin = [], 0
    for match in _LINK.finditer(text) if allowed_hosts else ():
        if _is_allowed(match[2] or match[0], allowed_hosts):
            pieces += [plain(text[begin : match.start()]), match[0]]
            begin = match.end()
    return "".join([*pieces, plain(text[begin:])])


def _is_allowed(url: str, allowed_hosts: frozenset[str]) -> bool:
    try:
        parts = urlsplit(url)
        port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        return False
    return f"{parts.hostname}{port}" in allowed_hosts and "@" not in parts.netloc and "\\" not in url


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
