"""Questions find the right passage, in every mixture of documents and indexes."""

import numpy as np
import pytest

from app.rag.evaluation.library import search
from tests.rag.papers import PAPERS, WordEmbedder, cut, make_shard, make_shards

QUESTIONS = [
    ("How much do we pay ourselves if the Honda Jazz is damaged, by the 2024 policy?", "2024", "first 910"),
    ("How much do we pay ourselves if the Honda Jazz is damaged, by the 2023 policy?", "2023", "first 840"),
    ("When does Zoe's passport run out?", "Passport", "20 January 2029"),
    ("Which country's law governs the supply agreement with Brightwater Ltd?", "Supply", "laws of Scotland"),
    ("May the supply agreement with Brightwater be transferred to somebody else?", "Supply", "written consent"),
]


@pytest.mark.parametrize("embedder", [WordEmbedder(), None], ids=["with vectors", "by words"])
@pytest.mark.parametrize(("question", "title", "text"), QUESTIONS)
def test_the_passage_with_the_answer_comes_first(embedder, question, title, text):
    best = search(make_shards(embedder), question, None, 3, embedder=embedder)[0]
    assert title in best.title
    assert text in best.text


def test_a_hit_says_exactly_where_it_stands():
    for hit in search(make_shards(WordEmbedder()), "Which law governs it?", None, 50, embedder=WordEmbedder()):
        page, _ = cut(PAPERS[hit.title])
        assert page.text[hit.start : hit.end] == hit.text
        assert hit.focus is not None
        assert 0 <= hit.focus[0] < hit.focus[1] <= len(hit.text)
        assert 0 <= hit.score <= 1
        assert 0 <= hit.answerable <= 1


def test_scores_never_rise_and_the_limit_holds():
    hits = search(make_shards(), "insurance claim policy agreement", None, 4)
    assert len(hits) == 4
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_vector_made_before_gives_the_same_order_as_one_made_here():
    embedder = WordEmbedder()
    shards, question = make_shards(embedder), "Whom do I call when the Honda Jazz breaks down in 2024?"
    vector = embedder.embed_query(question)
    assert search(shards, question, vector, 9, embedder=embedder) == search(
        shards, question, None, 9, embedder=embedder
    )


def test_equal_passages_keep_the_order_of_the_documents():
    twins = [make_shard(title, ["The meter cupboard has the code 9981."]) for title in ("Note A", "Note B", "Note C")]
    assert [hit.title for hit in search(twins, "code of the meter", None, 3)] == ["Note A", "Note B", "Note C"]
    assert [hit.title for hit in search(twins[::-1], "code of the meter", None, 3)] == ["Note C", "Note B", "Note A"]


def test_shards_of_another_model_are_searched_by_words():
    question = "Which country's law governs the supply agreement with Brightwater Ltd?"
    asking, foreign = WordEmbedder("words.2"), make_shards(WordEmbedder("words.1"))
    by_words = search(make_shards(None), question, None, 5)
    mixed = search(foreign, question, None, 5, embedder=asking)
    assert [(hit.text, hit.score) for hit in mixed] == [(hit.text, hit.score) for hit in by_words]


def test_documents_with_and_without_vectors_are_found_together():
    embedder = WordEmbedder()
    indexed, plain = make_shards(embedder)[:2], make_shards(None)[2:]
    for question, title, text in QUESTIONS:
        best = search([*indexed, *plain], question, None, 3, embedder=embedder)[0]
        assert title in best.title
        assert text in best.text


def test_a_vector_of_another_size_does_no_harm():
    hits = search(make_shards(WordEmbedder()), "passport expiry", np.ones(3, np.float32), 3)
    assert "Passport" in hits[0].title


@pytest.mark.parametrize("question", ["", "?", "the of and", "zzzz qqqq", "\x00", "9" * 5000])
def test_any_question_gets_an_answer(question):
    embedder = WordEmbedder()
    assert len(search(make_shards(embedder), question, None, 3, embedder=embedder)) == 3


def test_nothing_to_search_gives_nothing():
    empty = make_shard("Photo", [])
    assert search([], "passport", None, 5) == []
    assert search([empty], "passport", None, 5) == []
    assert search(make_shards(), "passport", None, 0) == []
    assert search([empty, *make_shards()], "passport", None, 1)[0].title == "Passport of Zoë Müller"


def test_a_vault_with_one_passage_gives_a_real_score():
    only = make_shard("Wi-Fi", ["The password of the guest network is blue kettle."])
    known, unknown = (search([only], text, None, 1)[0].score for text in ("guest network password", "dentist bill"))
    assert known > unknown
