"""The built-in record types: well formed, and stable."""

import re
from collections import Counter

import httpx
import pytest

from app.vault.types import CUSTOM, DATES, RecordType, record_types
from tests.factories import auth
from tests.vault.conftest import Scene

TYPES = list(record_types().values())
ASKED_FOR = """
    passport national_id driving_licence visa birth_certificate marriage_certificate death_certificate social_security
    health_insurance life_insurance home_insurance car_insurance travel_insurance bank_account card pension investment
    crypto_wallet property vehicle loan lease will trust power_of_attorney medical_record prescription vaccination
    education employment tax subscription login secure_note contact pet funeral_wish letter
"""
WITH_A_DEADLINE = """
    passport national_id driving_licence visa health_insurance car_insurance home_insurance travel_insurance card lease
    vehicle loan tax subscription contract warranty prescription vaccination power_of_attorney membership pet
"""
# What clients have stored must stay readable: names and kinds of fields that were there from the beginning.
FROM_THE_BEGINNING = {
    "passport": {"number": "text", "born_on": "date", "issued_on": "date", "expires_on": "date"},
    "card": {"number": "secret", "valid_until": "month", "security_code": "secret", "pin": "secret"},
    "bank_account": {"iban": "text", "pin": "secret", "kind": "choice"},
    "car_insurance": {"premium": "amount", "renews_on": "date", "no_claims_years": "number", "cover": "choice"},
    "login": {"username": "text", "password": "secret", "url": "url", "totp": "secret", "recovery_codes": "secret"},
    "contact": {"full_name": "text", "email": "email", "phone": "phone", "address": "multiline"},
    "contract": {"renews_on": "date", "notice_until": "date"},
    "will": {"testator": "text", "kept_at": "multiline"},
    "medical_record": {"organ_donor": "boolean"},
}


def test_everything_that_a_family_keeps_has_a_type():
    assert set(ASKED_FOR.split()) <= record_types().keys()
    assert len(TYPES) >= 32
    assert {each.group for each in TYPES} >= {"identity", "insurance", "money", "property", "wishes", "credentials"}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_a_type_is_well_formed(kind: RecordType):
    assert re.fullmatch(r"[a-z][a-z_]{2,30}", kind.name)
    assert not kind.name.startswith(CUSTOM)
    assert re.fullmatch(r"[a-z-]{2,20}", kind.icon)
    assert kind.label == kind.label.strip()
    assert kind.description.endswith(".")
    names = [field.name for field in kind.fields]
    assert all(re.fullmatch(r"[a-z][a-z_]{1,30}", name) for name in names)
    for what in (names, [field.label for field in kind.fields], [f.role for f in kind.fields if f.role]):
        assert max(Counter(what).values(), default=1) == 1, "names, labels and roles of dates are unique"
    for field in kind.fields:
        assert field.label[0].isupper()
        assert (field.type == "choice") == bool(field.choices)
        assert len(set(field.choices)) == len(field.choices)
        assert field.role is None or field.type in DATES
    required = {field.name for field in kind.fields if field.required}
    assert kind.credential or required.isdisjoint(kind.secret_fields), "what can't do without a secret is a credential"
    assert kind.secret_fields or not kind.credential
    assert kind.deadlines or kind.name not in WITH_A_DEADLINE.split()


def test_names_labels_and_pictures_tell_types_apart():
    assert len({each.label for each in TYPES}) == len({each.icon for each in TYPES}) == len(TYPES)


def test_dates_say_what_they_are_about():
    roles = {(field.name, field.role) for kind in TYPES for field in kind.fields if field.role}

    assert {("expires_on", "expires"), ("renews_on", "renews"), ("issued_on", "issued")} <= roles
    assert {("starts_on", "valid_from"), ("born_on", "birthday"), ("valid_until", "expires")} <= roles
    named = {name for name, _ in roles}
    assert all(field.role for kind in TYPES for field in kind.fields if field.name in {"expires_on", "renews_on"})
    assert {"inspection_due_on", "notice_until", "next_due_on", "due_on", "payable_from"} <= named


@pytest.mark.parametrize(("name", "fields"), FROM_THE_BEGINNING.items())
def test_what_was_there_from_the_beginning_stays(name: str, fields: dict[str, str]):
    assert {field.name: field.type for field in record_types()[name].fields}.items() >= fields.items()


def test_what_opens_something_is_a_credential():
    assert {kind.name for kind in TYPES if kind.credential} == {
        "card",
        "crypto_wallet",
        "login",
        "safe",
        "ssh_key",
        "wifi",
    }
    assert record_types()["bank_account"].secret_fields == ["pin"]


async def test_the_types_are_served_with_all_that_a_form_needs(client: httpx.AsyncClient, scene: Scene):
    answer = await client.get("/v1/vault/types", headers=auth(scene.viewer))

    page = answer.json()
    assert (answer.status_code, page["next_cursor"]) == (200, None)
    by_name = {each["name"]: each for each in page["items"]}
    assert by_name.keys() == record_types().keys()
    assert by_name["login"]["credential"] is True
    assert (by_name["passport"]["icon"], by_name["passport"]["group"], by_name["passport"]["id"]) == (
        "passport",
        "identity",
        None,
    )
    valid_until = {"name": "valid_until", "label": "Valid until (year and month)", "type": "month"}
    assert {**valid_until, "required": False, "choices": [], "role": "expires"} in by_name["card"]["fields"]


async def test_a_record_says_which_of_its_fields_are_secrets(client: httpx.AsyncClient, scene: Scene):
    body = {"vault_id": str(scene.vault.id), "type": "bank_account", "title": "Bank", "fields": {"pin": "1234"}}

    made = (await client.post("/v1/vault/items", json=body, headers=auth(scene.editor))).json()

    assert (made["secret_fields"], made["credential"], made["favourite"]) == (["pin"], False, False)
