"""Tools by which an agent sums up, compares, writes and reminds: in scope only, and with effects only when allowed."""

from typing import Any

import httpx
import orjson
import pytest

from app.agents.tools.everything import __all__ as everything
from app.agents.tools.registry import TOOLS
from app.core.config import Settings
from tests.agents.core.model import Model, asks
from tests.agents.core.people import Home, make_home, run_agent
from tests.agents.core.test_approvals import decide, rested
from tests.conftest import drain_jobs
from tests.factories import make_document, make_user, make_vault

pytestmark = pytest.mark.slow

YEARS = tuple(
    f"Car insurance {year}.\n\nPolicy number: TQ-447{year}. The insurance ends on 31 December {year}.\n\n"
    f"The annual premium is {premium} euros. You bear an excess of 350 euros.\n".encode()
    for year, premium in ((2026, 500), (2027, 540))
)
assert everything


async def ids_of(client: httpx.AsyncClient, home: Home) -> list[str]:
    listed = await client.get("/v1/vault/documents", headers=home.headers)
    return [each["id"] for each in reversed(listed.json()["items"])]


def result(model: Model) -> str:
    """What the model was told last."""
    return str(model.requests[-1]["messages"][-1]["content"])


async def assert_quoted(client: httpx.AsyncClient, home: Home, citations: list[dict[str, Any]]) -> None:
    for each in citations:
        path = f"/v1/rag/documents/{each['document_id']}/pages/{each['page']}"
        page = (await client.get(path, headers=home.headers)).json()["text"]
        assert page[each["start"] : each["end"]] == each["quote"]


async def test_two_policies_are_compared_with_quotes_of_both(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings, *YEARS)
    model.says(
        asks("compare_policies", {"document_ids": await ids_of(client, home)}),
        "The first ends on 31 December 2026 [1-8]. The second ends on 31 December 2027 [1-8].",
    )

    run = await run_agent(client, home, "Compare the two policies")

    assert "date expires: 2026-12-31 | 2027-12-31" in result(model)
    assert [year in str(run["citations"]) for year in ("31 December 2026", "31 December 2027")] == [True, True]
    await assert_quoted(client, home, run["citations"])


async def test_a_document_is_summed_up_from_its_telling_statements(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings, YEARS[0])
    (document_id,) = await ids_of(client, home)
    model.says(
        asks("summarise_document", {"document_id": document_id}), "A car insurance that ends on 31 December 2026 [1]."
    )

    run = await run_agent(client, home, "Sum it up")

    assert "31 December 2026" in result(model)
    assert "passage 1" in result(model)
    await assert_quoted(client, home, run["citations"])


@pytest.mark.parametrize("tool", ["summarise_document", "compare_policies", "export_dossier"])
async def test_a_strangers_document_is_not_there(
    client: httpx.AsyncClient, settings: Settings, model: Model, tool: str
):
    home, stranger = await make_home(settings, YEARS[0]), await make_user()
    foreign = await make_document(stranger, await make_vault(stranger), content=YEARS[1])
    await drain_jobs(settings)
    (mine,) = await ids_of(client, home)
    page = {"document_id": str(foreign.id), "page": 1}
    arguments = {
        "summarise_document": {"document_id": str(foreign.id)},
        "compare_policies": {"document_ids": [mine, str(foreign.id)]},
        "export_dossier": {"vault_id": str(home.vault.id), "title": "Dossier", "pages": [page]},
    }
    model.says(asks(tool, arguments[tool]), "It was not possible.")

    run = await run_agent(client, home, "Go on")
    if run["state"] == "waiting":
        await decide(client, home, run)
        run = await rested(client, home, run)

    assert (run["state"], run["output"]) == ("succeeded", "It was not possible.")
    marks = ("result begins ---", "result ends ---")  # with random digits before
    assert "540" not in "".join(line for line in result(model).splitlines() if not line.endswith(marks))
    assert await ids_of(client, home) == [mine]


async def test_a_document_outside_the_scope_of_a_run_is_not_there(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings, YEARS[0])
    other = await make_vault(home.owner, name="Other")
    (document_id,) = await ids_of(client, home)
    model.says(asks("summarise_document", {"document_id": document_id}), "Nothing.")

    await run_agent(client, home, "Sum it up", vault_ids=[str(other.id)])

    assert "2026" not in result(model)


async def test_a_letter_is_kept_as_it_was_shown_and_only_when_allowed(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings, YEARS[0])
    letter = {"title": "Notice", "recipient": "Insurer", "subject": "Notice", "body": "I give notice of TQ-4472026."}
    arguments = {"vault_id": str(home.vault.id), **letter}
    before = await ids_of(client, home)
    model.says(asks("draft_letter", arguments), "It is kept.")

    run = await run_agent(client, home, "Write to the insurer")
    assert (run["state"], await ids_of(client, home)) == ("waiting", before)
    assert run["approvals"][0]["arguments"] == arguments
    await decide(client, home, run)
    run = await rested(client, home, run)

    (made,) = set(await ids_of(client, home)) - set(before)
    content = await client.get(f"/v1/vault/documents/{made}/content", headers=home.headers)
    assert run["state"] == "succeeded"
    assert content.text == "Insurer\n\nNotice\n\nI give notice of TQ-4472026.\n"


async def test_a_dossier_holds_the_pages_with_their_sources(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings, *YEARS)
    pages = [{"document_id": each, "page": 1} for each in await ids_of(client, home)]
    before = await ids_of(client, home)
    model.says(
        asks("export_dossier", {"vault_id": str(home.vault.id), "title": "Our car", "pages": pages}), "It is kept."
    )

    run = await run_agent(client, home, "Make a dossier")
    assert await ids_of(client, home) == before
    await decide(client, home, run)
    await rested(client, home, run)
    await drain_jobs(settings)

    (made,) = set(await ids_of(client, home)) - set(before)
    read = [
        (await client.get(f"/v1/rag/documents/{made}/pages/{number}", headers=home.headers)).json()["text"]
        for number in (1, 2)
    ]
    assert ["Policy 0, page 1" in read[0], "2026" in read[0], "Policy 1, page 1" in read[1]] == [True] * 3


async def test_a_reminder_is_set_when_the_person_allows_it(client: httpx.AsyncClient, settings: Settings, model: Model):
    home = await make_home(settings, YEARS[0])
    arguments = {"vault_id": str(home.vault.id), "title": "Give notice", "due_on": "2026-11-30"}
    model.says(asks("propose_reminder", arguments), asks("list_reminders", {}), "You will be reminded.")

    run = await run_agent(client, home, "Remind me to give notice")
    reminders = "/v1/reminders"
    assert (await client.get(reminders, headers=home.headers)).json()["items"] == []
    await decide(client, home, run)
    run = await rested(client, home, run)

    (made,) = (await client.get(reminders, headers=home.headers)).json()["items"]
    assert (made["title"], made["due_on"], made["vault_id"]) == ("Give notice", "2026-11-30", str(home.vault.id))
    assert "Give notice" in result(model)
    assert run["output"] == "You will be reminded."


async def test_a_reminder_in_a_strangers_vault_is_not_set(client: httpx.AsyncClient, settings: Settings, model: Model):
    home, stranger = await make_home(settings, YEARS[0]), await make_user()
    foreign = await make_vault(stranger)
    arguments = {"vault_id": str(foreign.id), "title": "Give notice", "due_on": "2026-11-30"}
    model.says(asks("propose_reminder", arguments), "It was not possible.")

    run = await run_agent(client, home, "Remind them")
    await decide(client, home, run)
    run = await rested(client, home, run)

    assert (run["state"], run["output"]) == ("succeeded", "It was not possible.")
    assert (await client.get("/v1/reminders", headers=home.headers)).json()["items"] == []


def test_every_tool_has_a_schema_that_refuses_what_it_does_not_know():
    assert {"propose_reminder", "draft_letter", "export_dossier", "summarise_document", "compare_policies"} < set(TOOLS)
    for tool in TOOLS.values():
        assert tool.json_schema["additionalProperties"] is False, tool.name
        assert "asked first" in tool.description or tool.effect == "read", tool.name
        assert len(orjson.dumps(tool.json_schema)) < 8_000
