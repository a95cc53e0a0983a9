"""What work of the assistant costs in credits: tables that never change, the newest counts."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices in credits; tokens are paid for by the started thousand or thousands."""

    version: int
    answer: int
    """An answer from the documents, whoever writes it."""
    prompt_tokens: int
    """So many tokens that a language model reads cost one credit more."""
    completion_tokens: int
    """So many tokens that a language model writes cost one credit more."""
    usual_answer: int
    """What is set aside for an answer of a language model."""

    def of_answer(self, prompt_tokens: int, completion_tokens: int) -> int:
        """What an answer cost; without a language model there are no tokens."""
        read, written = -(-prompt_tokens // self.prompt_tokens), -(-completion_tokens // self.completion_tokens)
        return self.answer + read + written

    def held_for_answer(self, *, by_model: bool) -> int:
        """What is set aside before an answer."""
        return self.usual_answer if by_model else self.answer


TABLES: Final = (PriceTable(version=1, answer=1, prompt_tokens=4_000, completion_tokens=1_000, usual_answer=4),)
PRESENT: Final = TABLES[-1]
