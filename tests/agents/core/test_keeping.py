"""What is kept: agents' versions, memory, schedules, rules of vaults; and what is told of records with secrets."""

from datetime import UTC, date, datetime

import httpx
import pytest

from app.agents import schedules
from app.agents.catalogue import ASSISTANT
from app.agents.masking import Mask
from app.core.clock import on_wall
from app.core.config import Settings
from tests.agents.core.model import Model, asks
from tests.agents.core.people import RUNS, make_home, run_agent
from tests.factories import auth, make_item, make_user

AGENTS = "/v1/agents"


async def test_an_agent_has_versions_and_is_nobody_elses(client: httpx.AsyncClient):
    headers, stranger = auth(await make_user()), auth(await make_user())
    body = {"name": "Helper", "instructions": "Be brief.", "tools": ["search_documents"]}

    made = (await client.post(AGENTS, json=body, headers=headers)).json()
    changed = await client.put(f"{AGENTS}/{made['id']}", json={**body, "name": "Other"}, headers=headers)

    assert (changed.json()["version"], changed.json()["name"]) == (2, "Other")
    first = await client.get(f"{AGENTS}/{made['id']}/versions/1", headers=headers)
    assert first.json()["name"] == "Helper"
    assert (await client.get(f"{AGENTS}/{made['id']}", headers=stranger)).status_code == 404
    assert (await client.put(f"{AGENTS}/{made['id']}", json=body, headers=stranger)).status_code == 404
    assert (await client.delete(f"{AGENTS}/{ASSISTANT.id}", headers=headers)).status_code == 409
    unknown = await client.post(AGENTS, json={**body, "tools": ["rm"]}, headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown-tool")
    assert (await client.delete(f"{AGENTS}/{made['id']}", headers=headers)).status_code == 204
    assert (await client.get(f"{AGENTS}/{made['id']}", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "tools", "GET"),
        ("PUT", "runs", "GET"),
        ("PUT", "conversations", "GET"),
        ("DELETE", "schedules", "GET, POST"),
        ("POST", str(ASSISTANT.id), "DELETE, GET, PUT"),
        ("GET", f"{ASSISTANT.id}/runs", "POST"),
    ],
)
async def test_the_paths_of_lists_and_of_single_agents_keep_apart(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
):
    refused = await client.request(method, f"{AGENTS}/{path}", headers=auth(await make_user()))
    unknown = await client.get(f"{AGENTS}/no-such-list", headers=auth(await make_user()))

    assert (refused.status_code, refused.headers["Allow"]) == (405, allowed)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")


async def test_memory_is_seen_changed_and_forgotten_by_its_person_alone(client: httpx.AsyncClient):
    headers, stranger = auth(await make_user()), auth(await make_user())

    made = (await client.post(f"{AGENTS}/memories", json={"text": "Astrid is five."}, headers=headers)).json()
    path = f"{AGENTS}/memories/{made['id']}"

    assert (await client.put(path, json={"text": "x"}, headers=stranger)).status_code == 404
    assert (await client.put(path, json={"text": "Astrid is six."}, headers=headers)).status_code == 200
    kept = (await client.get(f"{AGENTS}/memories", headers=headers)).json()["items"]
    assert [each["text"] for each in kept] == ["Astrid is six."]
    assert (await client.delete(path, headers=headers)).status_code == 204


async def test_a_schedule_starts_one_run_each_day_however_often_it_is_looked_at(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home(settings)
    body = {"agent_id": str(ASSISTANT.id), "message": "What expires?", "time": "08:30", "zone": "Europe/Berlin"}

    made = (await client.post(f"{AGENTS}/schedules", json=body, headers=home.headers)).json()
    due = datetime.fromisoformat(made["next_at"])
    for _ in range(3):
        await schedules.start_due(due)

    runs = (await client.get(RUNS, headers=home.headers)).json()["items"]
    assert [run["message"] for run in runs] == ["What expires?"]
    wrong = await client.post(f"{AGENTS}/schedules", json={**body, "zone": "Mars/Base"}, headers=home.headers)
    assert wrong.status_code == 422


def test_when_the_clocks_change_a_schedule_is_due_once():
    def due(day: date, minute: int) -> datetime:
        return on_wall(day, minute, "Europe/Berlin")

    assert due(date(2026, 10, 25), 150) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert due(date(2026, 3, 29), 150) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    day, moment = schedules.next_due(
        date(2026, 10, 25), datetime(2026, 10, 25, 0, 31, tzinfo=UTC), 150, [], "Europe/Berlin"
    )
    assert (day, moment) == (date(2026, 10, 26), datetime(2026, 10, 26, 1, 30, tzinfo=UTC))


async def test_of_a_record_with_secrets_a_model_is_told_only_that_it_exists(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings)
    item = await make_item(home.owner, home.vault, type="login", title="Bank", fields={"password": "hunter2-secret"})
    model.says(asks("read_item", {"item_id": str(item.id)}), asks("list_items", {}), "There is a login.")

    await run_agent(client, home, "What is the password of the bank?")

    assert str(item.id) in model.prompt
    assert "hunter2" not in model.prompt.replace(home.vault.name, "")


async def test_of_a_record_with_a_secret_field_a_model_sees_the_rest(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings)
    fields = {"bank": "First bank", "pin": "7391-secret"}
    account = await make_item(home.owner, home.vault, type="bank_account", title="Joint account", fields=fields)
    definition = [
        {"name": "code", "label": "Code", "type": "secret"},
        {"name": "place", "label": "Place", "type": "text"},
    ]
    types = "/v1/vault/types"
    made = {"vault_id": str(home.vault.id), "label": "Gate", "fields": definition}
    gate = (await client.post(types, json=made, headers=home.headers)).json()
    closed = (await client.post(types, json={**made, "credential": True}, headers=home.headers)).json()
    for number, kind in enumerate((gate, closed)):
        values = {"code": f"8520-secret-{number}", "place": f"north wall {number}"}
        await make_item(home.owner, home.vault, type=kind["name"], title=f"Gate {number}", fields=values)
    model.says(
        asks("read_item", {"item_id": str(account.id)}),
        asks("list_items", {}),
        asks("update_item", {"item_id": str(account.id), "fields": {"pin": "0000"}}),
        "Done.",
    )

    await run_agent(client, home, "What is in the bank, and where is the gate?")

    assert all(text in model.prompt for text in ("First bank", "withheld_fields", "Gate 0"))
    assert not any(text in model.prompt for text in ("7391-secret", "8520-secret", "Gate 1", "north wall 1"))


async def test_nothing_of_a_vault_that_is_local_only_goes_to_a_provider(
    client: httpx.AsyncClient, settings: Settings, model: Model
):
    home = await make_home(settings)
    rule = f"{AGENTS}/vaults/{home.vault.id}/rule"
    assert (await client.put(rule, json={"providers": []}, headers=home.headers)).status_code == 200
    assert (await client.get(rule, headers=auth(await make_user()))).status_code == 404

    run = await run_agent(client, home, "When does the car insurance end?")

    assert (run["model"], model.requests) == ("extractive", [])
    assert "1 March 2027" in run["output"]


def test_what_identifies_people_is_replaced_and_comes_back():
    mask = Mask()
    text = "Mail ada@example.com, IBAN DE89 3704 0044 0532 0130 00, passport K01234567, until 2031-05-31."

    hidden = mask.hide(text)

    for secret in ("ada@example.com", "3704", "K01234567"):
        assert secret not in hidden
    assert "2031-05-31" in hidden
    assert mask.show(hidden) == text
