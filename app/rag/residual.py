"""What is left of a question when the title of a document has answered a part of it.

"When does the lease of Flat 6 run out?" asked of a document named "Lease, Flat 6" leaves "When does the run out?":
inside the document, the words of the title tell nothing about where the answer stands.
"""

import re

from app.rag.text import Word, is_stop_word, words


def residual_question(question: str, title: str, language: str = "en") -> str:
    """`question` without the words of `title` and the small words between them; unchanged if nothing would remain."""
    known = {word.stem for word in words(title, language)}
    spoken = list(words(question, language))
    small = [is_stop_word(word.stem, language) for word in spoken]
    taken = [word.stem in known and not small[at] for at, word in enumerate(spoken)]
    taken = [gone or (small[at] and _between(taken, small, at)) for at, gone in enumerate(taken)]
    if all(gone or small[at] for at, gone in enumerate(taken)):
        return question
    return _without(question, [word for word, gone in zip(spoken, taken, strict=True) if gone])


def _between(taken: list[bool], small: list[bool], at: int) -> bool:
    """Whether the nearest words with a meaning on both sides are taken out."""
    before = next((taken[i] for i in range(at - 1, -1, -1) if not small[i]), False)
    after = next((taken[i] for i in range(at + 1, len(taken)) if not small[i]), False)
    return before and after


def _without(text: str, gone: list[Word]) -> str:
    edges = [0, *(edge for word in gone for edge in (word.start, word.end)), len(text)]
    kept = (text[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True))
    return re.sub(r"\s+", " ", "".join(kept)).strip()
