"""The bytes of a document's index: what goes in comes out, and nothing else is accepted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rag.document import Chunk, Page
from app.rag.shard import build_shard, open_shard, passages_to_embed
from tests.rag.papers import PAPERS, WordEmbedder, cut, make_bytes, make_shard, source_of

TITLE = "Passport of Zoë Müller"
DATA = make_bytes(TITLE, PAPERS[TITLE], WordEmbedder())


def test_a_chunk_comes_back_with_its_exact_place():
    shard = open_shard(DATA)
    page, chunks = cut(PAPERS[TITLE])
    for number, chunk in enumerate(chunks):
        assert shard.chunk(number) == (1, chunk.start, chunk.end, chunk.text)
        assert page.text[chunk.start : chunk.end] == chunk.text
    assert shard.source == source_of(TITLE)
    assert shard.page_text(0) == page.text


def test_offsets_count_characters_beyond_the_basic_plane():
    text = "🏡 Größe: 84 m². 🏡 Miete: 1.200 €."
    start = text.index("Miete")
    chunk = Chunk(7, start, len(text), text[start:], heading="Maße 📐")
    shard = open_shard(build_shard(source_of("Wohnung"), [Page(7, text)], [chunk], None, None))
    assert shard.chunk(0) == (7, start, len(text), text[start:])
    assert shard.headings == ["Maße 📐"]


def test_there_is_a_vector_for_the_title_and_for_every_window():
    page, chunks = cut(["Short sentence here. " * 60, "One line."])
    source = source_of("Long letter")
    texts = passages_to_embed(source, chunks)
    vectors = np.arange(len(texts) * 4, dtype=np.float32).reshape(-1, 4)
    shard = open_shard(build_shard(source, [page], chunks, vectors, "four.1"))
    assert texts[0] == "Long letter"
    assert all(text.startswith("Long letter\n") for text in texts[1:])
    assert len(texts) > 4
    assert np.array_equal(shard.vectors, vectors)
    spans, last = shard.windows(1)
    assert page.text[slice(*spans[0].tolist())] == "One line."
    assert np.array_equal(last, vectors[-1:])


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(at, change):
    damaged = bytearray(DATA)
    damaged[at] ^= change
    with pytest.raises(ValueError, match="shard"):
        open_shard(bytes(damaged))


@given(st.integers(0, len(DATA) - 1))
def test_a_cut_off_shard_is_refused(length):
    with pytest.raises(ValueError, match="shard"):
        open_shard(DATA[:length])


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(ValueError, match="shard"):
        open_shard(data)


def test_a_chunk_that_is_no_slice_of_its_page_is_refused():
    page, chunks = cut(["First line.", "Second line."])
    for wrong in (replace(chunks[0], text="Other line."), replace(chunks[0], page=2), replace(chunks[0], start=1)):
        with pytest.raises(ValueError, match="slice"):
            build_shard(source_of("Letter"), [page], [wrong], None, None)


def test_vectors_that_do_not_fit_the_passages_are_refused():
    page, chunks = cut(["First line."])
    with pytest.raises(ValueError, match="passages"):
        build_shard(source_of("Letter"), [page], chunks, np.zeros((7, 4), np.float32), "four.1")
    with pytest.raises(ValueError, match="model"):
        build_shard(source_of("Letter"), [page], chunks, np.zeros((2, 4), np.float32), None)


def test_a_document_without_text_makes_an_empty_shard():
    shard = open_shard(build_shard(source_of("Photo"), [Page(1, "")], [], None, None))
    assert len(shard) == 0


def test_its_size_grows_with_what_it_holds():
    small, large = make_shard("Note", ["A."]), make_shard("Note", ["A long line of text. " * 50] * 20)
    assert 0 < small.nbytes < large.nbytes
    assert large.nbytes >= 20 * 50 * 21
