"""Words, languages, sentences, windows, and what a title leaves of a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rag.residual import residual_question
from app.rag.segments import STATEMENT_CHARACTERS, WINDOW_CHARACTERS, sentences, statements, windows
from app.rag.text import guess_language, stem, stems, words
from app.rag.thesaurus import document_words


@pytest.mark.parametrize(
    ("one", "other"),
    [("Policies", "policy"), ("1,911", "1911"), ("Zoë", "ZOE"), ("expired", "expires"), ("12.00", "12")],
)
def test_spellings_of_one_word_are_one_stem(one, other):
    assert stem(one) == stem(other)


def test_a_stem_belongs_to_its_language():
    assert stem("Versicherungen", "de") == stem("Versicherung", "de")
    assert stem("seguros", "es") == stem("seguro", "es")


def test_small_words_and_possessives_carry_no_meaning():
    assert stems("When does Meera's passport run out?") == ["meera", "passport", "run"]


def test_a_hindi_word_keeps_its_vowel_signs():
    assert [word.end - word.start for word in words("पासपोर्ट कब", "hi")] == [8, 2]


def test_chinese_text_is_found_by_pairs_of_characters():
    assert stems("保险单号码", "zh") == ["保险", "险单", "单号", "号码"]


@given(st.text(max_size=200))
def test_words_say_where_they_stand(text):
    found = list(words(text))
    assert all(0 <= word.start < word.end <= len(text) for word in found)
    assert [word.start for word in found] == sorted(word.start for word in found)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("When does the contract with my landlord end?", "en"),
        ("Wann läuft der Vertrag mit dem Vermieter aus?", "de"),
        ("¿Cuándo termina el contrato de la casa?", "es"),
        ("Quand est-ce que le contrat de la maison se termine ?", "fr"),
        ("मेरा पासपोर्ट कब समाप्त होगा?", "hi"),
        ("", "en"),
    ],
)
def test_the_language_is_guessed(text, language):
    assert guess_language(text) == language


def test_a_sentence_does_not_end_after_an_abbreviation_or_a_clause_number():
    text = "2. Term. Acme Inc. Holdings pays Mr. Smith 5.50 a day. It ends in May."
    assert [text[a:b] for a, b in sentences(text)] == [
        "2. Term.",
        "Acme Inc. Holdings pays Mr. Smith 5.50 a day.",
        "It ends in May.",
    ]


def test_a_heading_is_quoted_together_with_its_sentence():
    text = "GOVERNING LAW. This agreement is governed by the laws of Scotland. Notices go by post to the other party."
    first, second = (text[a:b] for a, b in statements(text))
    assert first == "GOVERNING LAW. This agreement is governed by the laws of Scotland."
    assert second.startswith("Notices")


@given(st.text(alphabet="ab .\nA", max_size=3000))
def test_windows_cover_every_word_and_stay_short(text):
    spans = windows(text)
    covered = {at for start, end in spans for at in range(start, end)}
    assert all(at in covered for at, character in enumerate(text) if not character.isspace())
    assert all(end - start <= 2 * WINDOW_CHARACTERS for start, end in spans) or not text.strip()
    assert len(spans) >= 1
    assert all(end - start <= STATEMENT_CHARACTERS for start, end in statements(text)[:-1])


def test_the_title_answers_its_part_of_the_question():
    question = "Which law governs the supply agreement with Brightwater Ltd?"
    assert residual_question(question, "Supply agreement - Brightwater Ltd") == "Which law governs the ?"


def test_a_question_that_is_all_title_stays_whole():
    assert residual_question("The supply agreement?", "Supply agreement") == "The supply agreement?"


def test_everyday_words_lead_to_the_words_of_papers():
    assert "expiry" in document_words("When does my passport run out?")
    assert document_words("Xylophone?") == ""
