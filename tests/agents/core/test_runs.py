"""Runs with the built-in model: no key, no network."""

import httpx

from app.core.config import Settings
from tests.agents.core.people import RUNS, START, make_home, run_agent
from tests.conftest import drain_jobs
from tests.factories import auth, make_user

QUESTION = "When does the car insurance end?"


async def test_an_agent_answers_with_a_located_quote(client: httpx.AsyncClient, settings: Settings):
    home = await make_home(settings)

    run = await run_agent(client, home, QUESTION)

    assert run["state"] == "succeeded"
    assert "1 March 2027" in run["output"]
    citation = run["citations"][0]
    page = await client.get(
        f"/v1/rag/documents/{citation['document_id']}/pages/{citation['page']}", headers=home.headers
    )
    assert page.json()["text"][citation["start"] : citation["end"]] == citation["quote"]
    assert run["model"] == "extractive"


async def test_a_stranger_is_told_that_the_run_does_not_exist(client: httpx.AsyncClient, settings: Settings):
    home = await make_home(settings)
    run = await run_agent(client, home, QUESTION)
    stranger = auth(await make_user())

    for path in ("", "/events"):
        assert (await client.get(f"{RUNS}/{run['id']}{path}", headers=stranger)).status_code == 404
    assert (await client.post(f"{RUNS}/{run['id']}/cancel", headers=stranger)).status_code == 404


async def test_a_run_is_streamed_and_replayed_after_the_last_event_that_was_seen(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home(settings)

    sent = await client.post(START, json={"message": QUESTION, "stream": True}, headers=home.headers)

    kinds = [line.removeprefix("event: ") for line in sent.text.splitlines() if line.startswith("event: ")]
    assert kinds == ["started", "step", "tool_call", "tool_result", "step", "text", "done"]
    run_id = (await client.get(RUNS, headers=home.headers)).json()["items"][0]["id"]
    again = await client.get(f"{RUNS}/{run_id}/events", headers={**home.headers, "Last-Event-ID": "5"})
    assert [line for line in again.text.splitlines() if line.startswith("id: ")] == ["id: 6", "id: 7"]
    assert again.text == sent.text[sent.text.index("id: 6") :]


async def test_a_background_run_is_done_by_the_worker(client: httpx.AsyncClient, settings: Settings):
    home = await make_home(settings)

    run = await run_agent(client, home, QUESTION, background=True)
    assert run["state"] == "queued"
    await drain_jobs(settings)

    run = (await client.get(f"{RUNS}/{run['id']}", headers=home.headers)).json()
    assert (run["state"], run["steps"]) == ("succeeded", 2)
    assert "1 March 2027" in run["output"]
    usage = (await client.get("/v1/agents/usage", headers=home.headers)).json()["items"]
    assert [(call["step"], call["model"], call["credits"]) for call in usage] == [
        (2, "extractive", 0),
        (1, "extractive", 1),
    ]
