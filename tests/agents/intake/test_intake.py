"""Documents that are read are proposed as records, which a person accepts or dismisses. No model is asked."""

from datetime import date

import pytest
from sqlalchemy import func, select, text

from app.agents.intake.mapping import fill
from app.agents.intake.models import Intake
from app.agents.intake.proposing import propose
from app.agents.intake.tasks import propose_intake
from app.core.clock import new_id
from app.db.session import session_scope
from app.rag.document import Page
from app.rag.fields.extract import extract
from app.rag.types.classifier import TypeGuess
from app.rag.understanding import Understanding
from app.vault.types import record_types
from tests.conftest import drain_jobs
from tests.factories import auth, make_document, make_member, make_user, make_vault

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PASSPORT = (
    b"PASSPORT. Surname: Lindqvist. Given name: Astrid. Passport number KX1598154. Nationality: Swedish.\n"
    b"Date of birth 3 May 1990. Place of birth: Lund. Issued on 21 December 2025. Date of expiry 20 December 2035.\n"
)
INTAKE = "/v1/agents/intake"


async def read(settings, owner, vault, content=PASSPORT, title="Scan 0001"):
    document = await make_document(owner, vault, content=content, name="scan.txt", title=title)
    await drain_jobs(settings)
    return document


async def proposals(client, user, **query):
    response = await client.get(INTAKE, params=query, headers=auth(user))
    assert response.status_code == 200, response.text
    return response.json()["items"]


@pytest.fixture
async def owner(runtime):
    return await make_user()


@pytest.fixture
async def vault(owner):
    return await make_vault(owner)


async def test_a_document_that_was_read_is_proposed_as_a_record(client, settings, owner, vault):
    document = await read(settings, owner, vault)

    (proposal,) = await proposals(client, owner)

    assert (proposal["type"], proposal["state"], proposal["title"]) == (
        "passport",
        "open",
        "Passport, Astrid Lindqvist",
    )
    assert proposal["chance"] > 0.5
    assert proposal["document_id"] == str(document.id)
    fields = {field["name"]: field["value"] for field in proposal["fields"]}
    assert fields == {
        "number": "KX1598154",
        "full_name": "Astrid Lindqvist",
        "born_on": "1990-05-03",
        "issued_on": "2025-12-21",
        "expires_on": "2035-12-20",
    }
    assert [(each["kind"], each["due_on"], each["field"]) for each in proposal["reminders"]] == [
        ("expires", "2035-12-20", "expires_on")
    ]
    page = await client.get(f"/v1/rag/documents/{document.id}/pages/1", headers=auth(owner))
    places = [each["place"] for each in (*proposal["fields"], *proposal["reminders"])]
    assert all(page.json()["text"][place["start"] : place["end"]] == place["quote"] for place in places)


async def test_accepting_makes_the_record_once(client, settings, owner, vault):
    await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)
    path = f"{INTAKE}/{proposal['id']}"

    accepted = await client.post(f"{path}/accept", json={"tags": ["travel"]}, headers=auth(owner))
    again = await client.post(f"{path}/accept", json={}, headers=auth(owner))
    late = await client.post(f"{path}/dismiss", headers=auth(owner))

    assert (accepted.status_code, again.status_code, late.status_code) == (201, 409, 409)
    assert again.json()["type"] == "/problems/intake-decided"
    item = (await client.get(f"/v1/vault/items/{accepted.json()['item_id']}", headers=auth(owner))).json()
    assert (item["type"], item["title"], item["tags"]) == ("passport", "Passport, Astrid Lindqvist", ["travel"])
    assert item["fields"]["expires_on"] == "2035-12-20"
    assert item["missing"] == []
    links = await client.get(f"/v1/vault/items/{item['id']}/links", headers=auth(owner))
    assert [(link["relation"], link["target"]["id"]) for link in links.json()["items"]] == [
        ("proven_by", proposal["document_id"])
    ]
    assert (await client.get(path, headers=auth(owner))).json()["state"] == "accepted"
    assert await proposals(client, owner, state="open") == []


NOTICE = (
    b"Electricity supply contract. Contract number: ST-4711-08. Customer number: 998877. Supplier: Nordstrom GmbH\n"
    b"The price is guaranteed until 31 May 2041. Please return the form by 4 May 2040.\n"
)


@pytest.mark.parametrize("wanted", [True, False])
async def test_reminders_are_set_for_days_that_no_field_of_the_record_holds(client, settings, owner, vault, wanted):
    document = await read(settings, owner, vault, content=NOTICE, title="Electricity contract")
    (proposal,) = await proposals(client, owner)
    assert proposal["type"] == "contract"
    held = {each["due_on"]: each["field"] for each in proposal["reminders"]}
    assert held == {"2041-05-31": "renews_on", "2040-05-04": "notice_until"}
    other = {"type": "secure_note", "reminders": wanted}

    response = await client.post(f"{INTAKE}/{proposal['id']}/accept", json=other, headers=auth(owner))

    assert response.status_code == 201, response.text
    listed = await client.get("/v1/reminders", params={"vault_id": str(vault.id)}, headers=auth(owner))
    found = {(each["due_on"], each["state"], each["document_id"]) for each in listed.json()["items"]}
    expected = {("2041-05-31", "active", str(document.id)), ("2040-05-04", "active", str(document.id))}
    assert found == (expected if wanted else set())


async def test_what_the_person_says_counts(client, settings, owner, vault):
    await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)
    change = {"type": "national_id", "title": "Astrid's card", "fields": {"number": "1"}, "notes": "In the desk"}

    accepted = await client.post(f"{INTAKE}/{proposal['id']}/accept", json=change, headers=auth(owner))

    item = (await client.get(f"/v1/vault/items/{accepted.json()['item_id']}", headers=auth(owner))).json()
    assert (item["type"], item["title"], item["fields"], item["notes"]) == (
        "national_id",
        "Astrid's card",
        {"number": "1"},
        "In the desk",
    )


async def test_fields_that_do_not_fit_are_refused_and_the_proposal_stays_open(client, settings, owner, vault):
    await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)

    refused = await client.post(
        f"{INTAKE}/{proposal['id']}/accept", json={"fields": {"expires_on": "soon"}}, headers=auth(owner)
    )
    unknown = await client.post(f"{INTAKE}/{proposal['id']}/accept", json={"typ": "visa"}, headers=auth(owner))

    assert (refused.status_code, unknown.status_code) == (422, 422)
    assert [each["state"] for each in await proposals(client, owner)] == ["open"]


async def test_a_dismissed_proposal_makes_no_record(client, settings, owner, vault):
    await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)

    dismissed = await client.post(f"{INTAKE}/{proposal['id']}/dismiss", headers=auth(owner))

    assert dismissed.json()["state"] == "dismissed"
    assert dismissed.json()["decided_at"]
    items = (await client.get("/v1/vault/items", headers=auth(owner))).json()["items"]
    assert items == []


async def test_who_may_see_and_decide(client, settings, owner, vault):
    await read(settings, owner, vault)
    viewer, stranger = await make_member(vault, role="viewer"), await make_user()
    reader = await make_user(scope="vault:read agents:run")
    (proposal,) = await proposals(client, viewer)
    path = f"{INTAKE}/{proposal['id']}"

    assert await proposals(client, stranger) == []
    assert (await client.get(path, headers=auth(stranger))).status_code == 404
    assert (await client.get(INTAKE, params={"vault_id": str(vault.id)}, headers=auth(stranger))).status_code == 404
    for act in ("accept", "dismiss"):
        body = {"json": {}} if act == "accept" else {}
        assert (await client.post(f"{path}/{act}", headers=auth(stranger), **body)).status_code == 404
        assert (await client.post(f"{path}/{act}", headers=auth(viewer), **body)).status_code == 403
        assert (await client.post(f"{path}/{act}", headers=auth(reader), **body)).status_code == 403
    assert (await client.get(f"{INTAKE}/{new_id()}", headers=auth(owner))).status_code == 404


async def test_what_is_proposed_is_sealed_and_goes_with_the_document(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    async with session_scope() as session:
        cell = await session.scalar(select(Intake.body).where(Intake.vault_id == vault.id))
    assert cell
    assert not any(word in cell for word in (b"Lindqvist", b"KX1598154", b"2035"))

    path = f"/v1/vault/documents/{document.id}"
    await client.delete(path, headers=auth(owner))
    assert await proposals(client, owner) == []
    await client.post(f"{path}/purge", headers=auth(owner))
    await drain_jobs(settings)

    async with session_scope() as session:
        assert await session.scalar(select(func.count()).where(Intake.vault_id == vault.id)) == 0


async def test_a_new_version_changes_the_record_of_the_old_one(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    (first,) = await proposals(client, owner)
    item_id = (await client.post(f"{INTAKE}/{first['id']}/accept", json={}, headers=auth(owner))).json()["item_id"]
    renewed = PASSPORT.replace(b"20 December 2035", b"19 December 2045").replace(b"KX1598154", b"KX1700001")
    headers = {**auth(owner), "Content-Type": "text/plain"}
    await client.put(f"/v1/vault/documents/{document.id}/content", content=renewed, headers=headers)
    await drain_jobs(settings)

    (second,) = await proposals(client, owner, state="open")
    assert second["item_id"] == item_id
    assert {field["name"]: field["value"] for field in second["fields"]} == {
        "number": "KX1700001",
        "expires_on": "2045-12-19",
    }
    await client.post(f"{INTAKE}/{second['id']}/accept", json={}, headers=auth(owner))

    item = (await client.get(f"/v1/vault/items/{item_id}", headers=auth(owner))).json()
    assert (item["fields"]["number"], item["fields"]["expires_on"]) == ("KX1700001", "2045-12-19")
    assert item["fields"]["full_name"] == "Astrid Lindqvist"
    assert item["revision"] == 2


async def test_of_a_version_that_was_overtaken_the_open_proposal_goes(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    headers = {**auth(owner), "Content-Type": "text/plain"}
    renewed = PASSPORT.replace(b"KX1598154", b"KX1700001")
    await client.put(f"/v1/vault/documents/{document.id}/content", content=renewed, headers=headers)
    await drain_jobs(settings)

    (proposal,) = await proposals(client, owner)

    assert "KX1700001" in {field["value"] for field in proposal["fields"]}


async def test_reading_again_proposes_nothing_twice(client, settings, owner, vault):
    document = await read(settings, owner, vault)
    (proposal,) = await proposals(client, owner)
    await client.post(f"{INTAKE}/{proposal['id']}/dismiss", headers=auth(owner))

    assert await propose_intake(str(document.id)) is False
    assert await propose_intake(str(new_id())) is False
    async with session_scope() as session:
        events = text("SELECT count(*) FROM jobs WHERE kind = 'agents.propose_intake' AND state = 'failed'")
        assert await session.scalar(events) == 0

    assert len(await proposals(client, owner)) == 1


async def test_what_is_not_understood_is_not_guessed(client, settings, owner, vault):
    await read(settings, owner, vault, content=b"Cream the butter with the sugar and add the eggs.", title="Cake")
    assert await proposals(client, owner) == []
    await read(settings, owner, vault, content=b"Please bring the cake back by 4 May 2041.", title="Note")

    (proposal,) = await proposals(client, owner)

    assert proposal["type"] is None
    assert [each["due_on"] for each in proposal["reminders"]] == ["2041-05-04"]
    needed = await client.post(f"{INTAKE}/{proposal['id']}/accept", json={}, headers=auth(owner))
    assert (needed.status_code, needed.json()["type"]) == (409, "/problems/type-needed")
    named = await client.post(f"{INTAKE}/{proposal['id']}/accept", json={"type": "secure_note"}, headers=auth(owner))
    assert named.status_code == 201
    item = (await client.get(f"/v1/vault/items/{named.json()['item_id']}", headers=auth(owner))).json()
    assert (item["type"], item["title"]) == ("secure_note", "Note")


async def test_lists_come_in_pages(client, settings, owner, vault):
    for number in range(3):
        await make_document(owner, vault, content=PASSPORT + bytes([65 + number]), title=f"Scan {number}")
    await drain_jobs(settings)

    first = (await client.get(INTAKE, params={"limit": 2}, headers=auth(owner))).json()
    rest = (await client.get(INTAKE, params={"limit": 2, "cursor": first["next_cursor"]}, headers=auth(owner))).json()

    assert [len(page["items"]) for page in (first, rest)] == [2, 1]
    assert rest["next_cursor"] is None
    assert (await client.get(INTAKE, params={"cursor": "x"}, headers=auth(owner))).status_code == 400
    assert len(await proposals(client, owner, vault_id=str(vault.id))) == 3


def understood(content: str, type_name: str | None, title="Scan 0001") -> Understanding:
    fields = tuple(field for fields in extract([Page(1, content)], "en").values() for field in fields)
    return Understanding(new_id(), new_id(), new_id(), title, content, fields, TypeGuess(type_name, 0.9, ()))


@pytest.mark.parametrize(
    ("type_name", "content", "expected"),
    [
        (
            "car_insurance",
            "Beacon Mutual\nMotor insurance. Policy NA4799311. Registration: KL69 KSE. Premium: EUR 512.40. "
            "Excess: 300 EUR\nPeriod of cover: 6 December 2030 to 5 December 2031. Claims: call 0478 916404",
            {
                "insurer": "Beacon Mutual",
                "policy_number": "NA4799311",
                "registration": "KL69 KSE",
                "premium": {"amount": "512.40", "currency": "EUR"},
                "excess": {"amount": "300", "currency": "EUR"},
                "starts_on": "2030-12-06",
                "renews_on": "2031-12-05",
                "claims_phone": "0478 916404",
            },
        ),
        (
            "bank_account",
            "Tidewater Bank\nAccount holder: Ana Brandt. IBAN DE89 3704 0044 0532 0130 00. BIC: COBADEFFXXX",
            {"bank": "Tidewater Bank", "holder": "Ana Brandt", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX"},
        ),
        ("card", "Card number 4111 1111 1111 1111. Valid thru 09/31", {"valid_until": "2031-09"}),
    ],
)
def test_fields_of_a_document_fill_those_of_the_record(type_name, content, expected):
    filled = fill(record_types()[type_name], understood(content, type_name).fields)

    assert {each.name: each.value for each in filled} == expected


@pytest.mark.parametrize("value", ["Premium: 1,726", "IBAN DE89 3704 0044 0532 0130 01", "PIN 1234"])
def test_what_is_unsure_or_secret_is_left_to_the_person(value):
    for type_name in ("car_insurance", "bank_account"):
        assert fill(record_types()[type_name], understood(value, type_name).fields) == []


def test_days_that_are_past_or_absurdly_far_are_no_reminders():
    content = (
        "Valid until 3 May 2031. Due on 4 May 2020. Expires on 5 May 2120. Renewal date: 3 May 2031. Due by 1 June 2031"
    )

    proposal = propose(understood(content, None), date(2030, 1, 1))

    assert proposal is not None
    assert [each.due_on.isoformat() for each in proposal.reminders] == ["2031-05-03", "2031-06-01"]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("IMG_20260103_112233", "Passport, Astrid Lindqvist"),
        ("scan (2)", "Passport, Astrid Lindqvist"),
        ("Astrid_passport new", "Astrid passport new"),
        ("2026-01-03", "Passport, Astrid Lindqvist"),
    ],
)
def test_a_title_by_a_machine_is_replaced(title, expected):
    proposal = propose(understood(PASSPORT.decode(), "passport", title), date(2026, 1, 1))

    assert proposal is not None
    assert proposal.title == expected
