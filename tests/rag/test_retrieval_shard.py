"""The bytes of a document's index: what goes in comes out, side by side with others, and nothing else is accepted."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rag.document import Chunk, Page
from app.rag.evaluation.library import Library, Paper
from app.rag.memory import Reserve
from app.rag.old_shard import as_present
from app.rag.scope import Scope
from app.rag.shard import build_shard, passages_to_embed
from app.rag.shelving import ShelfBuilder, joined, open_shelves
from tests.rag.old_shards import build_old_shard
from tests.rag.papers import PAPERS, WordEmbedder, cut, make_shard, make_shards, source_of

TITLE = "Passport of Zoë Müller"
EMBEDDER = WordEmbedder()
DATA = make_shard(TITLE, PAPERS[TITLE], EMBEDDER).shard


def opened(*shards):
    return Scope(open_shelves(shards))


def texts(library):
    """Title, place and text of every chunk."""
    passages = [library.scope.passage(index) for index in range(len(library.scope))]
    return {(p.source.title, p.start, library.pages[p.source.version_id, p.page][p.start : p.end]) for p in passages}


def test_a_chunk_comes_back_with_its_exact_place():
    scope = opened(make_shard("Other paper", ["Something else."], EMBEDDER).shard, DATA)
    page, chunks = cut(PAPERS[TITLE])
    for number, chunk in enumerate(chunks, 1):
        passage = scope.passage(number)
        assert (passage.source, passage.page) == (source_of(TITLE), 1)
        assert page.text[passage.start : passage.end] == chunk.text


def test_offsets_count_characters_beyond_the_basic_plane():
    text = "🏡 Größe: 84 m². 🏡 Miete: 1.200 €."
    start = text.index("Miete")
    chunk = Chunk(7, start, len(text), text[start:], heading="Maße 📐")
    passage = opened(build_shard(source_of("Wohnung"), [Page(7, text)], [chunk], None, None)).passage(0)
    assert (passage.page, passage.start, passage.end, passage.heading) == (7, start, len(text), "Maße 📐")


def test_every_chunk_keeps_its_heading():
    page, chunks = cut(["One. ", "Two. ", "Three. ", "Four. "])
    headings = ["A", "A", "", "B"]
    chunks = [replace(chunk, heading=heading) for chunk, heading in zip(chunks, headings, strict=True)]
    scope = opened(build_shard(source_of("Letter"), [page], chunks, None, None))
    assert [scope.passage(index).heading for index in range(4)] == headings


def test_there_is_a_vector_for_the_title_and_for_every_window():
    page, chunks = cut(["Short sentence here. " * 60, "One line."])
    source = source_of("Long letter")
    passages = passages_to_embed(source, chunks)
    assert passages[0] == "Long letter"
    assert all(text.startswith("Long letter\n") for text in passages[1:])
    assert len(passages) > 4
    for row in range(len(passages)):
        vectors = np.zeros((len(passages), 4), np.float32)
        vectors[row] = (0, 0, 1, 0)
        scope = opened(build_shard(source, [page], chunks, vectors, "four.1"))
        products = scope.shelves[0].products(np.array([[0, 0, 1, 0]], np.float32))
        titles, windows = scope.shelves[0].likeness(products)
        last = row == len(passages) - 1
        assert [titles[0, 0], *windows[0]] == pytest.approx(
            [float(each) for each in (row == 0, row > 0 and not last, last)]
        )
    start, end = scope.best_window(1, [products])
    assert page.text[start:end] == "One line."


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_eight_bits_a_dimension_change_no_likeness_by_more_than_a_hundredth(seed, windows):
    chance = np.random.default_rng(seed)
    vectors = chance.standard_normal((windows + 1, 384))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = vectors[-1].astype(np.float32)
    page, chunks = cut([f"Line {number}. " for number in range(windows)])
    shelf = opened(build_shard(source_of("Letter"), [page], chunks, vectors, "many.1")).shelves[0]
    titles, found = shelf.likeness(shelf.products(query[None]))
    assert np.abs(np.append(titles[0], found[0]) - vectors @ query).max() < 0.01


def test_a_vector_of_nothing_but_zeros_is_like_nothing():
    page, chunks = cut(["First line."])
    shelf = opened(build_shard(source_of("Letter"), [page], chunks, np.zeros((2, 4)), "four.1")).shelves[0]
    assert shelf.likeness(shelf.products(np.ones((1, 4), np.float32)))[1].tolist() == [[0.0]]


@given(st.integers(0, len(DATA) - 1))
def test_a_cut_off_shard_is_refused(length):
    with pytest.raises(ValueError, match="shard"):
        opened(DATA[:length])


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(ValueError, match="shard"):
        opened(data)


def test_a_shard_of_another_model_does_not_come_among_the_others():
    with pytest.raises(ValueError, match="another model"):
        ShelfBuilder("other.1", len(DATA)).add(b"1", DATA)


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


def test_a_document_without_text_is_known_and_not_searched():
    shard = build_shard(source_of("Photo"), [Page(1, "")], [], None, None)
    (shelf,) = open_shelves([shard])
    assert (len(shelf), len(shelf.known)) == (0, 1)
    assert len(Scope([shelf])) == 0
    assert joined([shelf], shelf.known).known == shelf.known


def test_its_size_grows_with_what_it_holds():
    small, large = make_shard("Note", ["A."]), make_shard("Note", ["A long line of text. " * 50] * 20)
    (few,), (many,) = open_shelves([small.shard]), open_shelves([large.shard])
    assert 0 < few.nbytes < many.nbytes


@pytest.mark.parametrize("embedder", [EMBEDDER, None], ids=["with vectors", "by words"])
def test_a_shelf_without_some_documents_is_as_if_they_had_never_been_there(embedder):
    papers = make_shards(embedder)
    (shelf,) = open_shelves(paper.shard for paper in papers)
    whole, left = Library(papers), Library(papers[1:])
    whole.scope = Scope([joined([shelf], frozenset(shelf.revisions[1:]))])
    question = "By which law is the supply agreement with Brightwater governed?"
    assert texts(whole) == texts(left)
    for limit in (1, 3, 50):
        hits = [library.search(question, None, limit, embedder=embedder) for library in (whole, left)]
        assert hits[0] == hits[1]


@pytest.mark.parametrize("embedder", [EMBEDDER, None], ids=["with vectors", "by words"])
def test_it_does_not_matter_how_documents_are_spread_over_shelves(embedder):
    papers = make_shards(embedder)
    together, apart = Library(papers), Library(papers)
    shelves = []
    for number, paper in enumerate(papers):
        builder = ShelfBuilder(embedder.model_id if embedder else None, 1)
        builder.add(number.to_bytes(16), paper.shard)
        shelves.insert(0, builder.done())
    apart.scope = Scope(shelves)
    question = "When does Zoe's passport run out?"
    expected = together.search(question, None, 9, embedder=embedder)
    found = apart.search(question, None, 9, embedder=embedder)
    assert [(hit.title, hit.start) for hit in found] == [(hit.title, hit.start) for hit in expected]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected])


@pytest.mark.parametrize("embedder", [EMBEDDER, None], ids=["with vectors", "by words"])
def test_shards_of_the_earlier_pipeline_are_found_as_before(embedder):
    papers = make_shards(embedder)
    old = [Paper(paper.source, paper.pages, as_present(_old(paper, embedder))) for paper in papers]
    for question in ("When does Zoe's passport run out?", "Which law governs the agreement with Brightwater?"):
        hits = [Library(each).search(question, None, 9, embedder=embedder) for each in (papers, old)]
        assert [(hit.title, hit.text, hit.focus) for hit in hits[1]] == [(h.title, h.text, h.focus) for h in hits[0]]
        assert [hit.score for hit in hits[1]] == pytest.approx([hit.score for hit in hits[0]], abs=0.01)


def _old(paper, embedder):
    page, chunks = cut(PAPERS[paper.source.title])
    vectors = embedder.embed_passages(passages_to_embed(paper.source, chunks)) if embedder else None
    return build_old_shard(paper.source, [page], chunks, vectors, embedder.model_id if embedder else None)


@given(st.integers(0, 300))
def test_a_damaged_shard_of_the_earlier_pipeline_is_refused(length):
    old = _old(make_shard(TITLE, PAPERS[TITLE], EMBEDDER), EMBEDDER)
    with pytest.raises(ValueError, match="intact"):
        as_present(old[:length])


def test_what_a_dropped_shelf_took_is_wiped_and_used_again():
    reserve = Reserve(102_400)
    reserve._region[:] = 0  # what other tests have left in this memory
    builder = ShelfBuilder(EMBEDDER.model_id, len(DATA), reserve)
    builder.add(b"1", DATA)
    shelf = builder.done()
    assert reserve.free_bytes < 102_400
    assert b"Passport of Zo" in reserve._region.tobytes()

    del shelf, builder
    gc.collect()

    assert reserve.free_bytes == 102_400
    assert b"Passport of Zo" not in reserve._region.tobytes()


def test_a_shelf_larger_than_the_reserve_is_as_good_as_any_other():
    builder = ShelfBuilder(EMBEDDER.model_id, len(DATA), Reserve(1_000))
    builder.add(b"1", DATA)
    assert Scope([builder.done()]).passage(0) == opened(DATA).passage(0)


@given(st.lists(st.integers(0, 5_000), max_size=30), st.randoms())
def test_memory_is_never_lent_twice_and_comes_back_whole(sizes, chance):
    reserve = Reserve(20_480)
    lent = []
    for size in sizes:
        memory, span = reserve.take(size)
        memory[:] = 1
        if span:
            assert all(span[1] <= begin or end <= span[0] for begin, end in lent if begin < end)
            lent.append(reserve.keep(span, size // 2))
        if lent and chance.random() < 0.4:
            reserve.give(lent.pop(chance.randrange(len(lent))))
    reserve.give(*lent)
    assert reserve.free_bytes == 20_480
    assert reserve.take(20_480)[1] == (0, 20_480)
