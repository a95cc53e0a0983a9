"""Chunks are exact slices of their page, and know the headings that they stand under."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rag.chunking import CHUNK_CHARS, chunk_pages
from app.rag.document import Page

WORDS = st.text(st.sampled_from("abcdeÄß😀ि \n\t.,#-1\u00a0\u2028"), max_size=3_000)


@given(st.lists(WORDS | st.text(max_size=2_000), max_size=4))
def test_a_chunk_is_a_slice_of_its_page_and_only_white_space_is_left_out(texts: list[str]) -> None:
    pages = [Page(number, text) for number, text in enumerate(texts, start=1)]

    chunks = chunk_pages(pages)

    for page in pages:
        kept = [chunk for chunk in chunks if chunk.page == page.number]
        assert all(chunk.text == page.text[chunk.start : chunk.end] == chunk.text.strip() for chunk in kept)
        assert all(0 < len(chunk.text) <= CHUNK_CHARS for chunk in kept)
        assert all(one.end <= other.start for one, other in pairwise(kept))
        assert "".join("".join(chunk.text.split()) for chunk in kept) == "".join(page.text.split())


def test_empty_pages_give_no_chunks() -> None:
    assert chunk_pages([Page(1, ""), Page(2, " \n\t\n")]) == []


def test_a_long_text_is_cut_between_sentences() -> None:
    sentence = "The insurer pays for the repair of the car if the damage was reported within a week. "

    chunks = chunk_pages([Page(1, sentence * 40)])

    assert len(chunks) > 2
    assert all(chunk.text.endswith("week.") for chunk in chunks)


def test_a_chunk_knows_its_headings_also_when_the_section_began_on_an_earlier_page() -> None:
    body = "Rent is paid in advance by the third working day of every month. " * 20
    pages = [Page(1, f"# Rental agreement\n\nBetween us.\n\n## Rent\n\n{body}"), Page(2, "The deposit is 2,400 EUR.")]

    *_, last = chunk_pages(pages)

    assert last.page == 2
    assert last.heading == "Rental agreement > Rent"


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("GENERAL TERMS", "GENERAL TERMS"),
        ("4.2 Excess", "4.2 Excess"),
        ("Section 7 Cancellation", "Section 7 Cancellation"),
        ("12 months from the day of signature", ""),
        ("1 Wayside Road, Burlington", ""),
        ("IBAN DE89 3704 0044 0532 0130 00", ""),
        ("1. The tenant pays the rent.", ""),
    ],
)
def test_short_title_like_lines_are_headings_and_others_are_not(line: str, heading: str) -> None:
    (chunk,) = chunk_pages([Page(1, f"{line}\nSome words about it follow here.")])

    assert chunk.heading == heading
