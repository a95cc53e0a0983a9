"""Lets of a model's answer through what is proven: piece by piece, as it is written.

A marker such as [2] claims that passage 2 says what stands before it. It is shown only if it holds: the passage exists,
it has words in common with the statement, and every figure of the statement stands in it. Proven markers are numbered
anew and point to a quote that is cut out of the stored page.
"""

import re
from collections.abc import Sequence

from app.rag.citations import Citation, resolve, verify, without_false_quotes
from app.rag.plain import plain
from app.rag.ranking import Hit
from app.rag.segments import sentences
from app.rag.text import guess_language, stems

_LABELS = r"\d{1,4}(?:\s*(?:[,;/&\u2013-]|and|und)\s*\d{1,4})*"
_MARKER = rf"[\[【\uff3b]\s*(?:\^|#|passages?\s+|source\s+)?{_LABELS}(?:†[^\]】\uff3d\n]*)?\s*[\]】\uff3d]"
_RUN = re.compile(rf"[ \t]*{_MARKER}(?:[ \t,;]*{_MARKER})*", re.IGNORECASE)
_UNFINISHED = re.compile(r"[ \t,;]*(?:[\[【\uff3b][^\]】\uff3d\n]{0,60})?")
_LINK_GOES_ON = re.compile(r"^(?=[(\[:])")
_RANGE = re.compile(r"(\d{1,4})(?:\s*[\u2013-]\s*(\d{1,4}))?")
_LONGEST_RANGE = 8
_SOURCE_NOTE = re.compile(r"†[^\]】\uff3d]*")
_THOUGHT = "<think"
_THOUGHTS = re.compile(r"\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_REFUSAL = re.compile(r"[*`]*\bNOT[ _\\]{1,2}FOUND\b[*`]*")
_QUOTED = re.compile(r"“([^“”\n]*)”|„([^„“”\n]*)[“”]|«([^«»\n]*)»|\"([^\"\n]*)\"")
_QUOTE_MARKS = re.compile(r"[“”„«»\"]")
_FIGURE = re.compile(r"\d+(?:[.,' \u2019\u00a0\u202f]\d{3}(?!\d))*")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_SMALLEST_FIGURE = 10
"""Below that a figure is as often a word: "two weeks", "2 weeks". Of money and shares every figure counts."""
_UNIT = r"%|€|£|\$|per\s?cent|percent|prozent|euros?\b|dollars?\b|pounds?\b|eur\b|usd\b|gbp\b|chf\b"
_COUNTED = re.compile(
    rf"(?:€|£|\$|\b(?:eur|usd|gbp|chf))\s?(\d)\b(?![.,]\d)|(?<![\d.,])(\d)\s?(?:{_UNIT})", re.IGNORECASE
)
_WORDS = (
    "zero no null keine zéro cero",
    "one ein eine eins un une uno una",
    "two zwei deux dos",
    "three drei trois tres",
    "four vier quatre cuatro",
    "five fünf cinq cinco",
    "six sechs seis",
    "seven sieben sept siete",
    "eight acht huit ocho",
    "nine neun neuf nueve",
)
_DIGITS = {word: str(digit) for digit, words in enumerate(_WORDS) for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+")


class Prover:
    """Takes the raw text in pieces; `text` is what may be shown so far, and only grows. `hosts` as in `plain`.

    Nothing is shown before the first statement is proven; so an answer without any proof is never seen.
    """

    def __init__(self, question: str, hits: Sequence[Hit], hosts: frozenset[str] = frozenset()) -> None:
        self.text = ""
        self.citations: list[Citation] = []
        self.refused = False
        self._question = question
        self._hits = hits
        self._hosts = hosts
        self._waiting = ""
        self._ready = ""
        self._unmarked = ""
        self._claim = ""
        self._silent = True

    def feed(self, piece: str) -> str:
        """Take the next piece; returns what may be shown in addition now."""
        self._read(piece)
        return self._show()

    def finish(self, *, whole: bool) -> str:
        """The end; of a text that was broken off, what stands behind the last marker is left out."""
        self._read("\n")
        if whole and not self._thinking():
            self._take(self._waiting, [])
            self._settle()
        return self._show()

    def _read(self, piece: str) -> None:
        self._waiting += piece
        if self._thinking():
            return
        begin = 0
        for run in _RUN.finditer(self._waiting):
            if _UNFINISHED.fullmatch(self._waiting, run.end()):
                break  # another marker may follow
            self._take(self._waiting[begin : run.start()], _labels(run[0]))
            begin = run.end()
        self._waiting = self._waiting[begin:]

    def _thinking(self) -> bool:
        """Whether the text is still within the thoughts that some models write first; they are dropped."""
        if not self._silent:
            return False
        thoughts = _THOUGHTS.match(self._waiting)
        head = self._waiting.lstrip()
        self._silent = not thoughts and (head.startswith(_THOUGHT) or _THOUGHT.startswith(head))
        self._waiting = self._waiting[thoughts.end() if thoughts else 0 :]
        return self._silent

    def _show(self) -> str:
        if self.refused or not self.citations:
            return ""
        ready = self._ready if self.text else self._ready.lstrip()
        shown = ready.rstrip()
        self._ready = ready[len(shown) :]
        self.text += shown
        return shown

    def _take(self, raw: str, labels: Sequence[int]) -> None:
        """What stands before one run of markers; without proof it waits for what follows, and is made plain with it."""
        self.refused = self.refused or (not self.citations and bool(_REFUSAL.search(raw)))
        if self.refused:
            return
        self._unmarked += raw
        claim = _plain(raw, self._hosts)
        if any(map(str.isalnum, claim)):
            self._claim = claim
        if proven := self._proven(self._claim, labels):
            self._settle(proven)

    def _settle(self, proven: Sequence[Hit] = ()) -> None:
        """Make the text up to here ready to be shown, with the markers of these passages."""
        sources = [*(hit.text for hit in proven), self._question]
        text = _plain(_without_false_quotes(_plain(self._unmarked, self._hosts), sources), self._hosts)
        if (self.text + self._ready)[-1:] == "]":
            text = _LINK_GOES_ON.sub(" ", text)
        self._ready += text + self._markers(self._claim, proven)
        self._unmarked = ""

    def _proven(self, claim: str, labels: Sequence[int]) -> list[Hit]:
        """The passages among those named that bear the claim out."""
        named = [self._hits[label - 1] for label in labels if 1 <= label <= len(self._hits)]
        if not claim or not named:
            return []
        last = claim[slice(*sentences(claim)[-1])] if sentences(claim) else claim
        if not _figures(last) <= self._known_figures(named) or not _figures(claim) <= self._known_figures(self._hits):
            return []
        return [hit for hit in named if _speaks_of(last, hit)]

    def _known_figures(self, hits: Sequence[Hit]) -> set[str]:
        return _numbers("\n".join([self._question, *(f"{hit.title}\n{hit.heading}\n{hit.text}" for hit in hits)]))

    def _markers(self, claim: str, proven: Sequence[Hit]) -> str:
        if not proven:
            return ""
        _, cited = resolve(f"{claim} [{', '.join(str(number) for number in range(1, len(proven) + 1))}]", proven)
        for citation in cited:
            if citation not in self.citations:
                self.citations.append(citation)
        return f" [{', '.join(map(str, sorted({self.citations.index(citation) + 1 for citation in cited})))}]"


def unmarked(raw: str, hits: Sequence[Hit], hosts: frozenset[str] = frozenset()) -> str:
    """What a model wrote without any proof: no thoughts, no markers, no quotation marks around what is no quote."""
    return without_false_quotes(_plain(_THOUGHTS.sub("", raw), hosts), hits).strip()


def _plain(raw: str, hosts: frozenset[str]) -> str:
    """Plain text without markers, also those that were hidden, as in [<b>9</b>]."""
    text = plain(_REFUSAL.sub("", raw), hosts)
    while _RUN.search(text):
        text = plain(_RUN.sub("", text), hosts)
    return text


def _labels(run: str) -> list[int]:
    """The numbers that a run of markers names, in order: [1][3-5] is 1, 3, 4, 5."""
    found: dict[int, None] = {}
    for match in _RANGE.finditer(_SOURCE_NOTE.sub("", run)):
        first, last = int(match[1]), int(match[2] or match[1])
        found.update(dict.fromkeys(range(first, min(last, first + _LONGEST_RANGE) + 1)))
    return list(found)


def _speaks_of(statement: str, hit: Hit) -> bool:
    """Whether the passage has a word of the statement; across languages words don't tell."""
    if set(stems(statement)) & set(stems(f"{hit.title}\n{hit.heading}\n{hit.text}")):
        return True
    return guess_language(statement) != guess_language(hit.text)


def _figures(claim: str) -> set[str]:
    """The figures that the claim depends on; a year as its last two digits would be known by, too."""
    numbers = (_normal(match[0]) for match in _FIGURE.finditer(_LIST_NUMBER.sub("", claim)))
    counted = (match[1] or match[2] for match in _COUNTED.finditer(claim))
    return {number for number in numbers if int(number) >= _SMALLEST_FIGURE} | set(counted)


def _numbers(text: str) -> set[str]:
    """Every number that stands in a text, with and without its separators, and the years that 27 or '27 may mean."""
    found = {_normal(match[0]) for match in _FIGURE.finditer(text)} | {
        _normal(each) for each in re.findall(r"\d+", text)
    }
    said = {_DIGITS[word] for word in map(str.casefold, _WORD.findall(text)) if word in _DIGITS}
    return found | said | {f"{century}{number:0>2}" for number in found if len(number) <= 2 for century in (19, 20)}


def _normal(figure: str) -> str:
    return str(int("".join(filter(str.isdecimal, figure))))


def _without_false_quotes(text: str, sources: Sequence[str]) -> str:
    """Quotation marks stay around what stands in a source word for word; loose ones go."""
    pieces, begin = [], 0
    for match in _QUOTED.finditer(text):
        quote = next(group for group in match.groups() if group is not None)
        exact = any(verify(each, source) for each in (quote, quote.rstrip(".,;:!?…")) for source in sources)
        pieces += [_QUOTE_MARKS.sub("", text[begin : match.start()]), match[0] if exact else quote]
        begin = match.end()
    pieces.append(_QUOTE_MARKS.sub("", text[begin:]))
    return "".join(pieces)
