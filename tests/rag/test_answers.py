"""Answers are made of quotes, every quote is proven, and what is not in the papers is not answered."""

import re

import pytest

from app.rag.citations import resolve, verify
from app.rag.evaluation.library import search
from app.rag.extractive import answer
from app.rag.values import Kind, holds, wanted
from tests.rag.papers import PAPERS, WordEmbedder, cut, make_shard, make_shards


def ask(question, embedder=None):
    return answer(question, search(make_shards(embedder), question, None, 8, embedder=embedder))


@pytest.mark.parametrize("embedder", [WordEmbedder(), None], ids=["with vectors", "by words"])
@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("How much do we pay ourselves if the Honda Jazz is damaged, by the 2024 policy?", "910"),
        ("Whom do I ring when the Honda Jazz breaks down (2023 cover)?", "0478 916404"),
        ("When does Zoe's passport run out?", "20 January 2029"),
        ("Which country's law governs the supply agreement with Brightwater Ltd?", "Scotland"),
    ],
)
def test_the_first_quote_holds_the_value(embedder, question, value):
    given = ask(question, embedder)
    assert given.found
    assert value in given.citations[0].quote
    assert value in given.answer


def test_every_quote_is_the_text_at_its_place():
    given = ask("When does Zoe's passport run out, and who must sign it?", WordEmbedder())
    assert 1 <= len(given.citations) <= 3
    for citation in given.citations:
        page, _ = cut(PAPERS[citation.title])
        assert page.text[citation.start : citation.end] == citation.quote
    assert re.findall(r"\[(\d)\]", given.answer) == [str(n) for n in range(1, len(given.citations) + 1)]


@pytest.mark.parametrize("embedder", [WordEmbedder(), None], ids=["with vectors", "by words"])
@pytest.mark.parametrize(
    "question",
    [
        "When does the sponsorship agreement with Halvorsen Shipping run out?",
        "How many penalty points does Aunt Sefa have?",
        "Which music does Grandfather Emil want at the funeral?",
    ],
)
def test_what_is_not_in_the_papers_is_not_answered(embedder, question):
    given = ask(question, embedder)
    assert not given.found
    assert given.answer == ""
    assert given.citations == []
    assert 1 <= len(given.nearest) <= 3
    assert len({hit.document_id for hit in given.nearest}) == len(given.nearest)


def test_without_any_papers_nothing_is_found():
    given = answer("When does the passport run out?", [])
    assert not given.found
    assert given.nearest == []


@pytest.mark.parametrize(
    ("question", "kind", "text"),
    [
        ("When does it end?", Kind.DATE, "It ends on the 3rd of May 2030."),
        ("How much is the rent?", Kind.AMOUNT, "Rent: £1,250 a month."),
        ("What is the account number?", Kind.IDENTIFIER, "Account MA5889668."),
        ("Who is the landlord?", Kind.NAME, "landlord: Orla Penhaligon"),
        ("How long is the notice period?", Kind.DURATION, "with thirty (30) days written notice"),
        ("How many keys are there?", Kind.NUMBER, "all 2 keys"),
    ],
)
def test_a_question_asks_for_a_kind_of_value(question, kind, text):
    assert kind in wanted(question)
    assert holds(text, kind)
    assert not holds("nothing of that sort here.", kind)


PAGE = "Rent is due on the first.\nThe deposit  is 340 euros. The deposit is 340 euros in all."


def test_a_quote_is_found_whatever_white_space_a_model_made_of_it():
    start, end = verify("The deposit is\n340 euros", PAGE) or (0, 0)
    assert PAGE[start:end] == "The deposit  is 340 euros"


def test_of_equal_quotes_the_one_near_the_hint_is_meant():
    assert verify("deposit is 340 euros", PAGE, 0)[0] < verify("deposit is 340 euros", PAGE, len(PAGE))[0]


@pytest.mark.parametrize("quote", ["The deposit is 350 euros", "", "   ", "deposit.*"])
def test_what_is_not_on_the_page_is_not_verified(quote):
    assert verify(quote, PAGE) is None


TENANCY = (
    "Rent is due on the first of each calendar month. The deposit is 340 euros, lodged with the scheme.",
    "One cat may stay.",
)


@pytest.fixture
def passages():
    shard = make_shard("Tenancy", TENANCY)
    return sorted(search([shard], "rent deposit cat", None, 2), key=lambda hit: hit.start)


def test_markers_become_proven_citations(passages):
    text, citations = resolve("The deposit is 340 euros [1]. A cat is fine [2], rent comes first [1, 2].", passages)
    assert citations[0].quote == "The deposit is 340 euros, lodged with the scheme."
    assert citations[1].quote == "One cat may stay."
    assert text.startswith("The deposit is 340 euros [1]. A cat is fine [2]")
    for citation in citations:
        assert "".join(TENANCY)[citation.start : citation.end] == citation.quote


def test_markers_that_point_nowhere_are_dropped(passages):
    assert resolve("Yes [7]. No [0]. Maybe [99, 3].", passages) == ("Yes. No. Maybe.", [])


def test_a_marker_keeps_only_the_labels_that_exist(passages):
    text, citations = resolve("The deposit is 340 euros [1, 9].", passages)
    assert text == "The deposit is 340 euros [1]."
    assert len(citations) == 1


def test_full_width_brackets_are_markers_too(passages):
    assert resolve("The deposit is 340 euros 【1】.", passages)[0] == "The deposit is 340 euros [1]."


def test_words_that_the_page_does_not_say_are_not_shown_as_a_quote(passages):
    text, citations = resolve('It says "the deposit is 999 euros" [1] and "The deposit is 340 euros" [1].', passages)
    assert '"the deposit is 999 euros"' not in text
    assert '"The deposit is 340 euros"' in text
    assert "The deposit is 340 euros" in [citation.quote for citation in citations]
