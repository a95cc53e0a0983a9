"""The life check and the legacy check: what is there to find, and that nobody sees another's papers."""

from datetime import date, timedelta

import pytest

from app.agents.catalogue import LEGACY, LIFE_CHECK
from app.agents.checks.findings import differ
from app.agents.checks.service import legacy_check, life_check
from app.core.clock import utc_now
from app.db.session import Actor, session_scope
from tests.agents.intake.test_intake import INTAKE, PASSPORT, proposals, read
from tests.factories import auth, make_item, make_user, make_vault, principal_of

pytestmark = pytest.mark.anyio
TODAY = date(2030, 1, 1)


@pytest.fixture
async def owner(runtime):
    return await make_user()


@pytest.fixture
async def vault(owner):
    return await make_vault(owner)


async def checked(owner, vault_ids=None):
    async with session_scope(Actor.user(owner.id)) as session:
        return await life_check(session, principal_of(owner), vault_ids, TODAY)


async def findings(owner, kind):
    return [each for each in (await checked(owner)).findings if each.kind == kind]


async def test_what_is_past_or_ends_soon_is_found_with_its_day(owner, vault):
    fields = {"number": "1", "expires_on": "2029-12-31"}
    past = await make_item(owner, vault, title="Old passport", fields=fields)
    renewed = {"service": "Films", "renews_on": "2030-01-31"}
    soon = await make_item(owner, vault, type="subscription", title="Films", fields=renewed)
    ahead = await make_item(owner, vault, title="Ada's", fields={"number": "3", "expires_on": "2030-03-01"})
    await make_item(owner, vault, title="Far", fields={"number": "4", "expires_on": "2035-03-01"})

    (expired,) = await findings(owner, "expired")
    ending = await findings(owner, "expiring")

    assert (expired.item_ids, expired.urgency, expired.due_on) == ([past.id], "now", date(2029, 12, 31))
    assert "31 December 2029" in expired.text
    assert [(each.item_ids, each.urgency, each.due_on) for each in ending] == [
        ([soon.id], "now", date(2030, 1, 31)),
        ([ahead.id], "soon", date(2030, 3, 1)),
    ]


async def test_what_is_missing_or_incomplete_is_found(owner, vault):
    before = {each.text for each in await findings(owner, "missing")}
    item = await make_item(owner, vault, type="will", title="My will", fields={"testator": "Ada"})
    await make_item(owner, vault, type="contact", title="Grace", fields={"full_name": "Grace Hopper"})

    after = {each.text for each in await findings(owner, "missing")}
    (incomplete,) = await findings(owner, "incomplete")

    assert {text.split(" is ")[0] for text in before - after} == {"No will", "No contact"}
    assert incomplete.item_ids == [item.id]
    assert incomplete.field == "kept_at"


async def test_a_record_that_contradicts_its_document_is_found_with_the_evidence(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)
    made = await client.post(f"{INTAKE}/{proposal['id']}/accept", json={}, headers=auth(owner))
    path = f"/v1/vault/items/{made.json()['item_id']}"
    assert await findings(owner, "contradiction") == []
    spaced = {"fields": {"number": "KX 1598154", "expires_on": "2036-12-20"}}
    assert (await client.patch(path, json=spaced, headers=auth(owner))).status_code == 200

    (found,) = await findings(owner, "contradiction")

    assert (found.field, found.document_ids) == ("expires_on", [document.id])
    (evidence,) = found.evidence
    page = await client.get(f"/v1/rag/documents/{document.id}/pages/{evidence.page}", headers=auth(owner))
    assert page.json()["text"][evidence.start : evidence.end] == evidence.quote == "20 December 2035"


async def test_records_that_contradict_each_other_are_found(owner, vault):
    one = await make_item(owner, vault, title="Passport", fields={"full_name": "Ada King", "born_on": "1990-05-03"})
    fields = {"full_name": "ADA KING", "born_on": "1991-05-03"}
    other = await make_item(owner, vault, type="national_id", title="Card", fields=fields)
    await make_item(owner, vault, title="Same", fields={"number": "77", "expires_on": "2033-01-01"})
    await make_item(owner, vault, title="Copy", fields={"number": "7 7", "expires_on": "2033-01-01"})

    (found,) = await findings(owner, "contradiction")

    assert set(found.item_ids) == {one.id, other.id}
    assert found.field == "born_on"


async def test_a_document_that_nobody_filed_is_found_when_its_day_comes(client, settings, owner, vault):
    day = utc_now().date() + timedelta(days=20)
    text = PASSPORT.replace(b"20 December 2035", f"{day.day} {day:%B %Y}".encode())
    document = await read(settings, owner, vault, content=text)

    found = (await client.get("/v1/agents/life-check", headers=auth(owner))).json()

    unfiled = [each for each in found["findings"] if each["kind"] == "unfiled"]
    assert [each["document_ids"] for each in unfiled] == [[str(document.id)]]
    assert unfiled[0]["due_on"] == day.isoformat()
    looks_like = [each for each in found["findings"] if each["kind"] == "missing" and each["document_ids"]]
    assert "passport" in looks_like[0]["text"]


async def test_the_most_urgent_comes_first(owner, vault):
    await make_item(owner, vault, title="Later", fields={})
    await make_item(owner, vault, title="Now", fields={"number": "1", "expires_on": "2029-12-31"})

    order = [each.urgency for each in (await checked(owner)).findings]

    assert order == sorted(order, key=["now", "soon", "later"].index)
    assert order[0] == "now"


async def test_nobody_sees_anothers_papers_and_secrets_are_left_out(client, owner, vault):
    secret = {"username": "ada", "password": "kestrel"}
    await make_item(owner, vault, type="login", title="Kestrel login", fields=secret)
    await make_item(owner, vault, title="Kestrel passport", fields={"number": "1", "expires_on": "2020-01-01"})
    stranger = await make_user()
    limited = await make_user(scope="agents:run")

    mine = await client.get("/v1/agents/life-check", headers=auth(owner))
    theirs = await client.get("/v1/agents/life-check", headers=auth(stranger))

    assert "Kestrel passport" in mine.text
    assert "login" not in mine.text.lower()
    assert "Kestrel" not in theirs.text
    for path in ("/v1/agents/life-check", "/v1/agents/legacy-check"):
        query = {"vault_id": str(vault.id)}
        assert (await client.get(path, params=query, headers=auth(owner))).status_code == 200
        assert (await client.get(path, params=query, headers=auth(stranger))).status_code == 404
        assert (await client.get(path, headers=auth(limited))).status_code == 403
        assert (await client.get(path, params={"vault_id": "x"}, headers=auth(owner))).status_code == 422


async def test_the_legacy_check_says_what_to_do_next(client, settings, owner, vault):
    await make_item(owner, vault, type="will", title="My will", fields={"testator": "Ada"})
    await make_item(owner, vault, type="contact", title="Grace", fields={"full_name": "Grace Hopper"})
    policy = (
        b"Halden Life. Term life insurance policy SF6137582. Life assured: Ada King. Sum payable on death: 418,000.\n"
    )
    document = await read(settings, owner, vault, content=policy, title="Life insurance")

    found = (await client.get("/v1/agents/legacy-check", headers=auth(owner))).json()

    areas = {area["name"]: area for area in found["areas"]}
    assert (areas["people"]["state"], areas["people"]["next_step"]) == ("present", "")
    assert (areas["will"]["state"], areas["will"]["next_step"]) == ("incomplete", "Complete My will.")
    assert areas["insurance"]["state"] == "missing"
    assert areas["insurance"]["document_ids"] == [str(document.id)]
    assert areas["living_will"]["next_step"]
    assert found["prepared"] == sum(area["state"] == "present" for area in found["areas"])
    async with session_scope(Actor.user(owner.id)) as session:
        assert (await legacy_check(session, principal_of(owner), [vault.id], TODAY)).checked_on == TODAY


@pytest.mark.parametrize(("agent", "expected"), [(LIFE_CHECK, "Old passport"), (LEGACY, "Is there a will")])
async def test_the_built_in_agents_report_without_a_model(client, settings, owner, vault, agent, expected):
    fields = {"number": "1", "expires_on": "2020-01-01"}
    await make_item(owner, vault, title="Old passport", fields=fields)
    body = {"message": "What should I look at?"}

    run = (await client.post(f"/v1/agents/{agent.id}/runs", json=body, headers=auth(owner))).json()

    assert (run["state"], run["model"]) == ("succeeded", "extractive")
    assert expected in run["output"]
    assert "---" not in run["output"]


async def test_what_an_agent_reports_is_proven_by_the_document(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)
    made = await client.post(f"{INTAKE}/{proposal['id']}/accept", json={}, headers=auth(owner))
    path = f"/v1/vault/items/{made.json()['item_id']}"
    await client.patch(path, json={"fields": {"expires_on": "2036-12-20"}}, headers=auth(owner))

    body = {"message": "What contradicts something?"}
    run = (await client.post(f"/v1/agents/{LIFE_CHECK.id}/runs", json=body, headers=auth(owner))).json()

    assert "say different things" in run["output"]
    assert [each["document_id"] for each in run["citations"]] == [str(document.id)]
    assert run["citations"][0]["quote"] == "20 December 2035"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("KX 12-3", "kx123", False),
        ({"amount": "12.5", "currency": "EUR"}, {"amount": "12.50", "currency": "EUR"}, False),
        ({"amount": "12.5", "currency": "EUR"}, {"amount": "12.50", "currency": "USD"}, True),
        (3, 3.0, False),
        ("2031-05-31", "2031-05-30", True),
    ],
)
def test_values_differ_only_if_they_mean_different_things(one, other, expected):
    assert differ(one, other) is expected
