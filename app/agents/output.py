"""What a model wrote, made fit to be shown: proven citations, no links and pictures that could carry something away."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.agents.tools.registry import Quote


def proven(
    text: str, quotes: Sequence[Quote], question: str, hosts: frozenset[str]
) -> tuple[str, list[dict[str, Any]]]:
    """The text with markers that are proven by the passages that the run has read, and their citations.

    What needs no proof, as it quotes nothing, is shown without markers. Links may lead to `hosts`.
    """
    from app.rag.answering import NOTHING_FOUND  # noqa: PLC0415  brings NumPy
    from app.rag.proving import Prover, unmarked  # noqa: PLC0415
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
    prover = Prover(question, hits, hosts)
    prover.feed(text)
    prover.finish(whole=True)
    shown = prover.text or unmarked(text, hits, hosts) or (NOTHING_FOUND if prover.refused else "")
    return shown, [{name: _plain(value) for name, value in asdict(each).items()} for each in prover.citations]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)
