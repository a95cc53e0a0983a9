"""Whatever a model writes, in whatever pieces: what is shown keeps its promises."""

import re
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from app.rag.proving import Prover
from app.rag.ranking import Hit

TEXT = "The repair costs 812 euros. An excess of 350 euros applies under policy TQ-4471-93."
HITS = [Hit(uuid4(), uuid4(), uuid4(), "Garage", 1, 10, 10 + len(TEXT), TEXT, 0.9)]
WORDS = (
    "The repair costs 812 euros|an excess of 350 euros|[1]|[9]|[1, 9]|[|]|(|)|<|!|/|img src=x>|![|](|https:|//|www|x|8"
    '|:|;|evil.test/?d=1|.evil.test|“|”|"|&#91;|&lt;|<b>|</b>|【|】|javascript|NOT_|FOUND'
)
ATOMS = [*WORDS.split("|"), "\u200b", "\n", " "]
FORBIDDEN = re.compile(
    r"//[A-Za-z]|\]\(|\]\[|\]:|<[A-Za-z/!?|]|(?<!\w)www\.[A-Za-z]|(?<![A-Za-z.])evil\.test/\w|\u200b"
)
texts = st.lists(st.sampled_from(ATOMS), max_size=25).map("".join)


def shown(text: str, size: int) -> Prover:
    prover = Prover("What does the repair cost?", HITS)
    pieces = [prover.feed(text[begin : begin + size]) for begin in range(0, len(text), size)]
    assert "".join([*pieces, prover.finish(whole=True)]) == prover.text
    return prover


@given(texts, st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_pieces_do_not_change_what_is_shown_and_nothing_forbidden_gets_through(text, size):
    text = f"The repair costs 812 euros [1]{text}"

    prover = shown(text, size)

    assert prover.text == shown(text, len(text)).text
    assert not FORBIDDEN.search(prover.text)


@given(texts)
@settings(max_examples=300, deadline=None)
def test_every_marker_has_a_citation_and_every_quotation_stands_in_a_source(text):
    prover = shown(text, len(text) or 1)

    runs = re.findall(r"[\[【]([\d, ]+)[\]】]", prover.text)
    assert {int(number) for run in runs for number in run.split(",")} == set(range(1, len(prover.citations) + 1))
    for citation in prover.citations:
        assert TEXT[citation.start - 10 : citation.end - 10] == citation.quote
    for quote in re.findall(r"“([^“”\n]*)”|\"([^\"\n]*)\"", prover.text):
        assert "".join(quote).strip() in f"{TEXT} What does the repair cost?"
