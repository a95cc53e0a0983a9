"""Answers by the thousand, from the built-in model and from one that lies: every citation stands on its page.

`LIFEVAULT_TEST_ANSWERS` is the number of answers; the long run takes 10000.
"""

import os
import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from app.agents import chain
from app.core.config import Settings
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.rag import answering, service
from tests.agents.core.model import serve
from tests.agents.core.people import START
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_document, make_user, make_vault, principal_of
from tests.notifications.smtp import changed_settings
from tests.rag.liar import Liar
from tests.rag.parsing_files import docx, mail, pdf

pytestmark = pytest.mark.anyio

ANSWERS = int(os.environ.get("LIFEVAULT_TEST_ANSWERS", "60"))
SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PEOPLE = ("Ines", "Jonas", "Åsa", "Мария", "李雷", "𝔄lma")
THINGS = ("car", "house", "bicycle", "boat", "garden", "dog")


@dataclass(frozen=True)
class Shelf:
    """Somebody's papers, which are much alike; `pages` holds what is stored of each, once it was asked for."""

    owner: TestUser
    pages: dict[tuple[str, int], str]

    async def page(self, client: httpx.AsyncClient, document_id: str, number: int) -> str:
        if (document_id, number) not in self.pages:
            path = f"/v1/rag/documents/{document_id}/pages/{number}"
            response = await client.get(path, headers=auth(self.owner))
            assert response.status_code == 200, f"seed {SEED}: page {number} is none"
            self.pages[document_id, number] = response.json()["text"]
        return self.pages[document_id, number]


def page(person: str, thing: str, year: int) -> str:
    cents = (year * 37 + len(thing) * 13 + len(person) * 7) % 900
    return (
        f"Insurance of the {thing} of {person}, {year}.\nThe {thing} insurance ends on {1 + cents % 28} March {year}.\n"
        f"The excess of the {thing} is {100 + cents} euros and {cents % 100:02d} cents.\n\n"
        f"The premium of {person} for the {thing} in {year} is {cents * 3} euros a year.\n"
        f"{person} may cancel until {1 + cents % 30} November {year - 1}."
    )


@pytest.fixture
async def shelf(runtime: Runtime, settings: Settings) -> Shelf:
    owner = await make_user()
    vault = await make_vault(owner)
    for at, thing in enumerate(THINGS):
        texts = [page(person, thing, 2020 + index + at) for index, person in enumerate(PEOPLE)]
        plain = [text.encode("latin-1", "ignore").decode("latin-1") for text in texts]
        files = (
            (f"{thing}.pdf", pdf(*plain)),
            (f"{thing}.docx", docx(*"\n".join(texts).split("\n"))),
            (f"{thing}.txt", "\f".join(texts).replace("\n", "\r\n").encode()),
            (f"{thing}.eml", mail(texts[0], (f"{thing} 2.txt", "\n\n".join(texts[1:]).encode()))),
        )
        name, content = files[at % len(files)]
        await make_document(owner, vault, content=content, name=name, title=f"Insurance, {thing}")
    with changed_settings(embedder="none"):
        await drain_jobs(settings)
    return Shelf(owner, {})


def question(chance: random.Random) -> str:
    person, thing, year = chance.choice(PEOPLE), chance.choice(THINGS), 2020 + chance.randrange(12)
    shapes = (
        "What is the excess of the {thing} of {person} in {year}?",
        "When does the {thing} insurance of {person} end?",
        "How much is the premium for the {thing} in {year}?",
        "Until when may {person} cancel?",
        "What does it say about the {thing}?",
        "Which hospital treated {person}?",
    )
    return chance.choice(shapes).format(person=person, thing=thing, year=year)


async def answered(shelf: Shelf, words: str, **changes: Any) -> tuple[str, str, list[dict[str, Any]]]:
    """Model, text and citations, as a person or a program is shown them."""
    principal = principal_of(shelf.owner, scopes="vault:read rag:ask")
    async with session_scope(principal.actor) as session:
        hits = await service.search(session, principal, words, answering.HITS, None)
    found = await answering.answer(current().settings.model_copy(update=changes), words, hits)
    return found.usage.model, found.answer, [each.model_dump(mode="json") for each in found.citations]


async def run(client: httpx.AsyncClient, shelf: Shelf, words: str) -> tuple[str, str, list[dict[str, Any]]]:
    response = await client.post(START, json={"message": words}, headers=auth(shelf.owner))
    shown = response.json()
    assert (response.status_code, shown["state"]) == (201, "succeeded"), response.text
    return f"agent, {shown['model']}", shown["output"], shown["citations"]


@pytest.mark.slow
async def test_every_citation_of_every_answer_is_what_stands_on_its_page(client: httpx.AsyncClient, shelf: Shelf):
    chance, models, cited = random.Random(SEED), Counter[str](), 0
    with serve() as model:
        model.script = Liar(SEED)
        chain._breakers.clear()
        liar = {"model_url": model.url, "model_name": "liar", "model_api_key": SecretStr(model.key)}
        with changed_settings(embedder="none", agent_falls_back=False, **liar):
            for number in range(ANSWERS):
                words = question(chance)
                if number % 10 == 0:
                    name, text, citations = await run(client, shelf, words)
                else:
                    name, text, citations = await answered(shelf, words, **({"model_url": ""} if number % 2 else {}))
                models[name] += 1
                cited += len(citations)
                await assert_proven(client, shelf, text, citations)
                model.requests.clear()
    assert cited > ANSWERS // 3, models
    assert {"agent, endpoint:liar", "liar", answering.BUILT_IN} <= set(models), models


async def assert_proven(client: httpx.AsyncClient, shelf: Shelf, text: str, citations: list[dict[str, Any]]) -> None:
    markers = {int(number) for run in re.findall(r"\[(\d+(?:, \d+)*)\]", text) for number in run.split(",")}
    assert markers <= set(range(1, len(citations) + 1)), f"seed {SEED}: {text}"
    for each in citations:
        stored = await shelf.page(client, each["document_id"], each["page"])
        assert stored[each["start"] : each["end"]] == each["quote"], f"seed {SEED}"
        assert each["quote"].encode() == stored[each["start"] : each["end"]].encode()
        assert UUID(each["version_id"]).version == 7
