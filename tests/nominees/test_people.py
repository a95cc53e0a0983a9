"""Nominees: named, invited, accepted by a POST alone; a new address shuts the old one out."""

import re

import pytest

from tests.factories import auth, make_user
from tests.nominees.conftest import ROOT, Legacy, rows_of
from tests.notifications.smtp import html_of, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_somebody_is_named_without_an_account_and_accepts_by_the_letter(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    assert (await legacy.get(f"/people/{grace.id}"))["state"] == "invited"
    token = await legacy.link_of(grace.email, "invitation")

    await legacy.post("/invitations/answer", {"token": token, "accept": True}, expect=204)

    read = await legacy.get(f"/people/{grace.id}")
    assert (read["state"], read["relation"]) == ("accepted", "friend")
    assert read["verified_at"]
    assert "Grace has accepted" in await legacy.subjects(legacy.owner.email)
    assert (await legacy.subjects(grace.email))[-1] == "Keep this: what Ada Lovelace counts on you for"
    await legacy.post("/invitations/answer", {"token": token, "accept": False}, expect=404)
    assert (await legacy.get(f"/people/{grace.id}"))["state"] == "accepted"


async def test_who_declines_is_shown_so_and_can_be_invited_again(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    token = await legacy.link_of(grace.email, "invitation")
    await legacy.post("/invitations/answer", {"token": token, "accept": False}, expect=204)
    assert (await legacy.get(f"/people/{grace.id}"))["state"] == "declined"
    assert "Grace has declined" in await legacy.subjects(legacy.owner.email)

    await legacy.post(f"/people/{grace.id}/invite")
    again = await legacy.link_of(grace.email, "invitation")
    assert again != token
    await legacy.post("/invitations/answer", {"token": again, "accept": True}, expect=204)
    await legacy.post(f"/people/{grace.id}/invite", expect=409)


async def test_a_mail_scanner_that_follows_every_link_changes_nothing(legacy: Legacy):
    grace, trusted = await legacy.name("Grace", accept=False), await legacy.name("Tom")
    plan_id = await legacy.plan(grace, confirmer_id=trusted.id)
    drill = await legacy.post(f"/plans/{plan_id}/drills", expect=201)
    before = await state_of(legacy)

    followed = set()
    for _ in range(2):
        for letter in [*await legacy.letters(grace.email), *await legacy.letters(legacy.owner.email)]:
            for link in re.findall(r'http://127.0.0.1:8000(/[^\s"<]+)', text_of(letter) + html_of(letter)):
                for method in ("HEAD", "GET"):
                    answer = await legacy.client.request(method, link)
                    assert answer.status_code in (200, 405)
                followed.add(link.partition("?")[0].rpartition("/")[2])

    assert followed >= {"invitation", "drill"}
    assert await state_of(legacy) == before
    assert (await legacy.get(f"/drills/{drill['id']}"))["people"][0]["answered_at"] is None


async def state_of(legacy: Legacy) -> list[object]:
    """Everything that a follower of links might change."""
    mine = {"owner": legacy.owner.id}
    return [
        await rows_of("SELECT id, state, verified_at FROM nominees WHERE user_id = :owner ORDER BY id", **mine),
        await rows_of("SELECT id, state, due_at FROM legacy_cases WHERE user_id = :owner", **mine),
        await rows_of("SELECT id, used_at FROM nominee_links WHERE user_id = :owner ORDER BY id", **mine),
        await rows_of("SELECT id, answered_at FROM legacy_drill_people WHERE user_id = :owner ORDER BY id", **mine),
        await rows_of("SELECT id FROM nominee_sessions WHERE user_id = :owner", **mine),
        await rows_of("SELECT id FROM nominee_codes WHERE user_id = :owner", **mine),
    ]


async def test_a_new_address_has_to_be_accepted_and_the_old_one_opens_nothing(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.sign_in(grace)
    await legacy.get("/visit", by=grace)

    changed = await legacy.client.patch(
        f"{ROOT}/people/{grace.id}", json={"email": "grace.new@example.org"}, headers=legacy.headers
    )

    assert (changed.status_code, changed.json()["state"]) == (200, "invited")
    await legacy.get("/visit", by=grace, expect=401)
    old_link = await legacy.link_of(grace.email, "sign-in")
    await legacy.post("/sign-in/code", {"token": old_link}, expect=404)
    assert await legacy.link_of("grace.new@example.org", "invitation")


async def test_one_person_is_named_once_and_nobody_names_themself(legacy: Legacy):
    grace = await legacy.name("Grace")
    again = {"name": "Grace again", "email": grace.email.upper()}
    assert (await legacy.post("/people", again, expect=409))["code"] == "already-named"
    own = {"name": "Me", "email": legacy.owner.email}
    assert (await legacy.post("/people", own, expect=409))["code"] == "own-address"
    other = await make_user()
    allowed = await legacy.client.post(f"{ROOT}/people", json=again, headers=auth(other))
    assert allowed.status_code == 201


async def test_who_stands_in_a_plan_is_not_forgotten_by_mistake(legacy: Legacy):
    grace, tom = await legacy.name("Grace", accept=False), await legacy.name("Tom", accept=False)
    plan_id = await legacy.plan(grace, confirmer_id=tom.id, arm=False)
    for nominee in (grace, tom):
        refused = await legacy.client.delete(f"{ROOT}/people/{nominee.id}", headers=legacy.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "nominee-in-use")

    assert (await legacy.client.delete(f"{ROOT}/plans/{plan_id}", headers=legacy.headers)).status_code == 204
    for nominee in (grace, tom):
        assert (await legacy.client.delete(f"{ROOT}/people/{nominee.id}", headers=legacy.headers)).status_code == 204
    assert (await legacy.get("/people"))["items"] == []


async def test_a_nominee_can_withdraw_and_is_out_at_once(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.plan(grace)
    await legacy.sign_in(grace)

    await legacy.post("/visit/withdraw", by=grace, expect=204)

    await legacy.get("/visit", by=grace, expect=401)
    assert (await legacy.get(f"/people/{grace.id}"))["state"] == "declined"
    assert "Grace has declined" in await legacy.subjects(legacy.owner.email)


async def test_lists_have_pages(legacy: Legacy):
    names = [f"N{number}" for number in range(5)]
    for name in names:
        await legacy.name(name, accept=False)
    first = await legacy.get("/people?limit=3")
    rest = await legacy.get(f"/people?limit=3&cursor={first['next_cursor']}")

    assert [each["name"] for each in first["items"] + rest["items"]] == names[::-1]
    assert rest["next_cursor"] is None


async def test_an_old_proof_of_identity_or_a_program_names_nobody(legacy: Legacy):
    body = {"name": "Mallory", "email": "mallory@example.org"}
    key = await legacy.client.post(
        "/v1/auth/api-keys", json={"name": "K", "scopes": ["legacy:read", "legacy:write"]}, headers=legacy.headers
    )
    by_key = {"Authorization": f"Bearer {key.json()['key']}"}
    refused = await legacy.client.post(f"{ROOT}/people", json=body, headers=by_key)
    assert (refused.status_code, refused.json()["code"]) == (403, "session-needed")
    assert (await legacy.client.get(f"{ROOT}/people", headers=by_key)).status_code == 200

    statement = "UPDATE auth_sessions SET authenticated_at = now() - interval '1 hour' WHERE user_id = :id RETURNING id"
    await rows_of(statement, id=legacy.owner.id)
    old = await legacy.client.post(f"{ROOT}/people", json=body, headers=legacy.headers)
    assert (old.status_code, old.json()["code"]) == (403, "step-up-required")


async def test_a_token_without_the_scope_gets_nothing(legacy: Legacy):
    reader = await make_user(scope="vault:read vault:write legacy:read")
    vault_only = await make_user(scope="vault:read vault:write")
    body = {"name": "Grace", "email": "grace@example.org"}

    assert (await legacy.client.get(f"{ROOT}/people", headers=auth(vault_only))).status_code == 403
    assert (await legacy.client.get(f"{ROOT}/people", headers=auth(reader))).status_code == 200
    assert (await legacy.client.post(f"{ROOT}/people", json=body, headers=auth(reader))).status_code == 403
