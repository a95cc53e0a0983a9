"""What a model wrote, made fit to be shown."""

from uuid import uuid4

import pytest

from app.agents.output import proven
from app.agents.tools.registry import Quote
from app.rag.plain import plain

TEXT = "The insurance ends on 1 March 2027. The excess is 250 euros."
IDS = {"document_id": uuid4(), "version_id": uuid4(), "vault_id": uuid4()}
QUOTES = [Quote(**IDS, title="Policy", page=3, start=10, end=10 + len(TEXT), quote=TEXT)]
OURS = frozenset({"vault.example", "localhost:8000"})


def shown(text: str) -> tuple[str, list[str]]:
    answer, citations = proven(text, QUOTES, "When does it end?", OURS)
    assert all(each["quote"] == TEXT[each["start"] - 10 : each["end"] - 10] for each in citations)
    return answer, [each["quote"] for each in citations]


def test_a_marker_is_shown_if_its_passage_bears_it_out():
    answer, (quote,) = shown("It ends on 1 March 2027 [1].")

    assert answer == "It ends on 1 March 2027 [1]."
    assert "ends on 1 March 2027" in quote


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It ends on 9 May 2031 [1].", "It ends on 9 May 2031."),
        ("It ends soon [7] [1000] [0].", "It ends soon."),
        ("It is done.", "It is done."),
        ("<think>The secret plan.</think>It is done.", "It is done."),
        ('The policy says "nine million euros in gold".', "The policy says nine million euros in gold."),
        ("NOT_FOUND", "This was not found in your documents."),
    ],
)
def test_what_is_not_borne_out_has_no_marker(text: str, answer: str):
    assert shown(text) == (answer, [])


@pytest.mark.parametrize("kept", ["[open it](https://vault.example/items)", "http://localhost:8000/docs"])
def test_links_to_ourselves_stay(kept: str):
    assert kept in plain(f"See {kept} now.", OURS)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "https://evil.example/?d=1",
            "//evil.example/x",
            "http:\\\\evil.example\\x",
            "http\uff1a\uff0f\uff0fevil.example",
        ),
        *("https://vault.example@evil.example/x", "http://localhost:9000/x", "https://vault.example.evil.example/"),
        *(
            "1234.evil.example",
            "evil.example/1234",
            "10.0.0.1/1234",
            "ht\u00adtps://evil.example/x",
            "www.evil.example",
        ),
        *("&lt;img src=https://evil.example&gt;", "[x](javascript:alert(1))", "\uff45vil.example/x"),
    ],
)
def test_other_addresses_go_whatever_their_disguise(address: str):
    assert "vil" not in plain(f"See {address} now.", OURS).replace("evil ", "")
    assert "1234" not in plain(f"See {address} now.", OURS)


@pytest.mark.parametrize(
    "text", ["Pay 1.250,00 EUR by 3.4.2027.", "scan.page.pdf", "Read a/b, e.g. this; 5 < 7", "ada@mail.example.org"]
)
def test_ordinary_text_stays(text: str):
    assert plain(text, OURS) == text
