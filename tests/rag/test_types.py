"""Guesses at the type of a document: right ones, and honest doubt."""

from importlib.resources import files

import pytest

from app.core.sniff import HEAD_BYTES, sniff
from app.db.session import Actor, session_scope
from app.rag.document import Page
from app.rag.embedder import MiniLMEmbedder
from app.rag.engine import embedder_of
from app.rag.fields.extract import extract
from app.rag.types.classifier import TypeGuess, guess_type
from app.rag.types.known import MODEL_ID, NONE, centres, listed, names
from app.rag.understanding import understand
from tests.conftest import drain_jobs
from tests.factories import make_document, make_user, make_vault

pytestmark = pytest.mark.anyio
SAMPLES = {
    "car-insurance.pdf": "car_insurance",
    "home-insurance.docx": "home_insurance",
    "passport-nora.txt": "passport",
    "pension-statement.eml": "pension",
    "tenancy-agreement.pdf": "lease",
    "will-daniel.md": "will",
}


def guess(title: str, text: str, language: str = "en") -> TypeGuess:
    fields = [field for fields in extract([Page(1, text)], language).values() for field in fields]
    return guess_type(title, text, fields, None, names())


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (
            "Kfz-Versicherung. Versicherungsschein-Nr. 12 345 678. Versicherungsnehmer: Anna Lindqvist. Amtliches "
            "Kennzeichen: B-AL 1234. Vollkasko, Selbstbeteiligung 300 EUR. Gültig bis 01.04.2027.",
            "de",
            "car_insurance",
        ),
        (
            "Contrat de location. Bailleur : Jean Moreau. Locataire : Ana Brandt. Loyer : 900 €. Dépôt de "
            "garantie : 900 €. Prend effet le 1er mai 2026.",
            "fr",
            "lease",
        ),
        (
            "Seguro de hogar. Póliza nº 0098776512. Tomador: María García. Continente y contenido. Fecha de "
            "vencimiento: 31/12/2026.",
            "es",
            "home_insurance",
        ),
        (
            "Notice of assessment. Income tax for 2024. Taxpayer: Ana Brandt. Reference: AB1234567. Taxable income "
            "50,000. Date of issue 3 May 2025.",
            "en",
            "tax",
        ),
    ],
)
def test_the_type_is_told_by_words_alone_in_several_languages(text, language, expected):
    found = guess("Scan 0001", text, language)

    assert found.type == expected
    assert found.chance > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "Cream the butter with the sugar, add the eggs and the flour, and bake for forty minutes.",
        "Oxygen is the chemical element with the symbol O. It was found in 1774 by Joseph Priestley.",
        "You may be able to claim this benefit. How to apply, what you will get, and who can help you.",
        "",
    ],
)
def test_what_is_no_paper_of_anybody_is_not_given_a_type(text):
    assert guess("Untitled", text).type is None


def test_only_known_types_are_guessed():
    text = "PASSPORT. Passport number VB1598154. Surname: Varlow. Date of expiry 20 January 2029."
    fields = [field for fields in extract([Page(1, text)], "en").values() for field in fields]

    assert guess_type("Passport", text, fields, None, ["contract"]).type in (None, "contract")
    assert guess_type("Passport", text, fields, None, []) == TypeGuess(None, 0.0, ())


def test_the_centres_belong_to_the_types_and_the_model(settings):
    embedder = embedder_of(settings)
    assert isinstance(embedder, MiniLMEmbedder)

    assert embedder.model_id == MODEL_ID
    assert centres().shape == (len(names()), embedder.dimensions)
    assert names()[-1] == NONE
    for number in (0, len(names()) - 1):
        example = listed()[names()[number]]["examples"][0]
        likeness = centres() @ embedder.embed_passages([example])[0]
        assert int(likeness.argmax()) == number


async def test_every_sample_document_is_understood(runtime, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    documents = {}
    for name in SAMPLES:
        content = files("app.rag.samples").joinpath(name).read_bytes()
        assert sniff(content[:HEAD_BYTES], name)
        documents[name] = await make_document(owner, vault, content=content, name=name, title=f"Scan {len(documents)}")
    await drain_jobs(settings)

    found = {}
    async with session_scope(Actor.vault(vault.id)) as session:
        for name, document in documents.items():
            understood = await understand(session, document.id, names())
            assert understood is not None
            assert understood.fields
            found[name] = understood.guess.type

    assert found == SAMPLES
