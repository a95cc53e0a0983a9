"""Approvals: exactly this, once, by the person alone; asked for by a model behind a real HTTP server."""

import asyncio
from typing import Any

import httpx
import pytest

from app.agents import approvals, effects, runs
from app.agents.errors import ApprovalNotFound, ApprovalRefused
from app.agents.tools.registry import ToolContext
from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from tests.agents.core.model import Model, asks
from tests.agents.core.people import RUNS, Home, make_home, run_agent
from tests.conftest import drain_jobs
from tests.factories import auth, make_user, principal_of

pytestmark = pytest.mark.slow

SCOPES = "vault:read vault:write rag:ask agents:run"


def new_item(home: Home, title: str = "Passport of Ada") -> dict[str, Any]:
    return {"vault_id": str(home.vault.id), "type": "passport", "title": title}


async def titles(client: httpx.AsyncClient, home: Home) -> list[str]:
    items = (await client.get("/v1/vault/items", headers=home.headers)).json()["items"]
    return [item["title"] for item in items]


async def decide(client: httpx.AsyncClient, home: Home, run: dict[str, Any], approve: bool = True) -> httpx.Response:
    body = {"approval_id": run["approvals"][-1]["id"], "approve": approve}
    return await client.post(f"{RUNS}/{run['id']}/approvals", json=body, headers=home.headers)


async def rested(client: httpx.AsyncClient, home: Home, run: dict[str, Any]) -> dict[str, Any]:
    await runs.until_rest(principal_of(home.owner, scopes=SCOPES), run["id"])
    return (await client.get(f"{RUNS}/{run['id']}", headers=home.headers)).json()


async def test_nothing_is_done_before_the_person_allows_it_and_then_once(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings)
    model.says(asks("create_item", new_item(home)), "It is done.")

    run = await run_agent(client, home, "Note the passport of Ada")

    assert (run["state"], await titles(client, home)) == ("waiting", [])
    assert run["approvals"][0]["arguments"] == new_item(home)
    assert (await decide(client, home, run)).status_code == 200
    run = await rested(client, home, run)
    assert (run["state"], run["output"], run["approvals"][0]["state"]) == ("succeeded", "It is done.", "consumed")
    assert await titles(client, home) == ["Passport of Ada"]
    assert (await decide(client, home, run)).status_code == 409
    assert await titles(client, home) == ["Passport of Ada"]


async def test_a_program_with_an_api_key_gives_no_leave(client: httpx.AsyncClient, settings: Settings, model: Model):
    home = await make_home(settings)
    model.says(asks("create_item", new_item(home)), "It is done.")
    run = await run_agent(client, home, "Note the passport of Ada")
    made = await client.post(
        "/v1/auth/api-keys", json={"name": "Robot", "scopes": SCOPES.split()}, headers=home.headers
    )
    body = {"approval_id": run["approvals"][0]["id"], "approve": True}

    answer = await client.post(
        f"{RUNS}/{run['id']}/approvals", json=body, headers={"Authorization": f"Bearer {made.json()['key']}"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "approver-needed")
    assert await titles(client, home) == []


async def test_what_the_person_refuses_is_not_done(client: httpx.AsyncClient, settings: Settings, model: Model):
    home = await make_home(settings)
    model.says(asks("create_item", new_item(home)), "As you wish.")
    run = await run_agent(client, home, "Note it", background=True)
    await drain_jobs(settings)
    run = (await client.get(f"{RUNS}/{run['id']}", headers=home.headers)).json()

    await decide(client, home, run, approve=False)
    await drain_jobs(settings)

    run = (await client.get(f"{RUNS}/{run['id']}", headers=home.headers)).json()
    assert (run["state"], run["approvals"][0]["state"], await titles(client, home)) == ("succeeded", "denied", [])
    assert "did not allow" in model.prompt


async def test_two_decisions_at_once_make_one_effect(client: httpx.AsyncClient, settings: Settings, model: Model):
    home = await make_home(settings)
    model.says(asks("create_item", new_item(home)), "Done.")
    run = await run_agent(client, home, "Note it")

    answers = await asyncio.gather(*(decide(client, home, run) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert (await rested(client, home, run))["state"] == "succeeded"
    assert await titles(client, home) == ["Passport of Ada"]


async def test_a_stranger_can_neither_see_nor_give_an_approval(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings)
    model.says(asks("create_item", new_item(home)), "Done.")
    run = await run_agent(client, home, "Note it")
    approval_id, stranger = run["approvals"][0]["id"], auth(await make_user())

    assert (await client.get(f"/v1/agents/approvals/{approval_id}", headers=stranger)).status_code == 404
    given = await client.post(f"/v1/agents/approvals/{approval_id}/decision", json={"approve": True}, headers=stranger)
    assert given.status_code == 404
    assert await titles(client, home) == []


async def test_an_approval_is_refused_for_anything_but_what_it_was_given_for(settings: Settings, runtime: Runtime):
    home = await make_home(settings)
    principal = principal_of(home.owner, scopes=SCOPES)
    other = principal_of(await make_user(), scopes=SCOPES)
    arguments = new_item(home)
    async with session_scope(principal.actor) as session:
        row = await approvals.propose(session, principal, None, "create_item", arguments)
        await approvals.decide(session, principal, row.id, True)

    async def use(who: Any = principal, tool: str = "create_item", **changes: Any) -> None:
        async with session_scope(who.actor) as session:
            await effects.perform(session, ToolContext(who), row.id, tool, {**arguments, **changes})

    with pytest.raises(ApprovalRefused):
        await use(title="Something else")
    with pytest.raises(ApprovalRefused):
        await use(notes="")
    with pytest.raises(ApprovalNotFound):
        await use(other)
    await use()
    with pytest.raises(ApprovalRefused):
        await use()


async def test_one_approval_used_by_many_at_once_makes_one_effect(
    client: httpx.AsyncClient, settings: Settings, runtime: Runtime
):
    home = await make_home(settings)
    principal = principal_of(home.owner, scopes=SCOPES)
    async with session_scope(principal.actor) as session:
        row = await approvals.propose(session, principal, None, "create_item", new_item(home))
        await approvals.decide(session, principal, row.id, True)

    async def use() -> None:
        async with session_scope(principal.actor) as session:
            await effects.perform(session, ToolContext(principal), row.id, "create_item", new_item(home))

    outcomes = await asyncio.gather(*(use() for _ in range(6)), return_exceptions=True)

    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(isinstance(outcome, ApprovalRefused) for outcome in outcomes if outcome is not None)
    assert await titles(client, home) == ["Passport of Ada"]


async def test_an_effect_that_fails_does_not_use_up_the_approval(settings: Settings, runtime: Runtime):
    home = await make_home(settings)
    principal = principal_of(home.owner, scopes=SCOPES)
    arguments = {**new_item(home), "fields": {"expires_on": "not a date"}}
    async with session_scope(principal.actor) as session:
        row = await approvals.propose(session, principal, None, "create_item", arguments)
        await approvals.decide(session, principal, row.id, True)

    with pytest.raises(Exception, match="date"):
        async with session_scope(principal.actor) as session:
            await effects.perform(session, ToolContext(principal), row.id, "create_item", arguments)

    async with session_scope(principal.actor) as session:
        assert (await approvals.find(session, principal, row.id)).state == "approved"
