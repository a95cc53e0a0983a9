"""Errors are problems (RFC 9457) that say what a program needs to go on."""

import pytest

from tests.factories import auth, make_user, make_vault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/vault/items", "GET, POST"),
        ("/v1/vault/items/01a1fbe8-3eef-7d27-809c-9cfaba724faa", "DELETE, GET, PATCH"),
        ("/v1/auth/me", "DELETE, GET, PATCH"),
        ("/health/live", "GET"),
    ],
)
async def test_a_method_that_is_not_offered_is_answered_with_all_that_are(client, path, methods):
    response = await client.request("TRACE", path)

    assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
    assert response.headers["allow"] == methods


async def test_fields_that_do_not_fit_their_type_are_named_one_by_one(client):
    user = await make_user()
    vault = await make_vault(user)
    fields = {"expires_on": "31.5.2031", "number": "K01234567"}
    item = {"vault_id": str(vault.id), "type": "passport", "title": "Passport", "fields": fields}

    response = await client.post("/v1/vault/items", json=item, headers=auth(user))

    assert (response.status_code, response.json()["code"]) == (422, "invalid-fields")
    assert [error["loc"] for error in response.json()["errors"]] == [["body", "fields", "expires_on"]]


@pytest.mark.parametrize("cursor", ["", "x", "A" * 21 + "B", "A" * 22 + "=", "A" * 64, "AAAA AAAA AAAA AAAA AAA"])
async def test_a_cursor_that_we_did_not_make_is_refused(client, cursor):
    headers = auth(await make_user())

    response = await client.get("/v1/vault/vaults", params={"cursor": cursor}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "invalid-cursor")


async def test_text_is_refused_where_a_number_belongs_and_a_whole_number_may_have_a_point(client):
    headers = auth(await make_user())
    answers = {}
    for limit in (5, 5.0, 5.5, "5", True):
        body = {"query": "passport", "limit": limit}
        answers[repr(limit)] = (await client.post("/v1/rag/search", json=body, headers=headers)).status_code

    assert answers == {"5": 200, "5.0": 200, "5.5": 422, "'5'": 422, "True": 422}
