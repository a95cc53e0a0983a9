"""Shares: one record or one file for somebody outside, as long as everything is as it must be."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.crypto import new_token, token_digest
from app.db.runtime import current
from app.db.session import session_scope
from app.vault import tasks
from tests.factories import auth, make_document, make_member, make_user
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import rows_of
from tests.vault.home import Home, home

__all__ = ["home"]

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "horse battery"


async def share(home: Home, subject: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    """A share, of a new record unless something is named."""
    subject = subject or {"item_id": str((await home.item()).id)}
    made: dict[str, Any] = await home.call("POST", "shares", {"subject": subject, **values}, status=201)
    return made


async def open_it(home: Home, share: dict[str, Any], password: str = "", **headers: str) -> httpx.Response:
    body = {"token": share["token"], "password": password}
    return await home.client.post("/v1/vault/shared/open", json=body, headers=headers)


async def state(home: Home, share: dict[str, Any]) -> str:
    return str((await home.call("GET", f"shares/{share['id']}"))["state"])


@pytest.fixture(autouse=True)
def many_tries():
    """Tests come from one place: what one of them tries must not count for the next."""
    with changed_settings(share_tries=100_000):
        yield


async def test_somebody_without_an_account_sees_a_record(home: Home):
    fields = {"bank": "First", "pin": "1234", "Branch": "Main street", "phone": "+44 20 1"}
    item = await home.item(type="bank_account", title="Account", fields=fields, notes="Closed on Mondays")

    made = await share(home, {"item_id": str(item.id)}, name="For the notary", max_views=3)
    answer = await open_it(home, made, **{"User-Agent": FIREFOX})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    shared = answer.json()
    assert (shared["shared_by"], shared["views_left"], shared["file"]) == ("Ada Lovelace", 2, None)
    shown = shared["item"]
    assert (shown["label"], shown["title"], shown["notes"]) == ("Bank account", "Account", "Closed on Mondays")
    assert [(each["label"], each["type"], each["value"]) for each in shown["fields"]] == [
        ("Bank", "text", "First"),
        ("PIN", "secret", "1234"),
        ("Phone of the bank", "phone", "+44 20 1"),
        ("Branch", "text", "Main street"),
    ]
    assert made["url"] == f"{home.settings.public_url}/v1/vault/shared#{made['token']}"
    after = await home.call("GET", f"shares/{made['id']}")
    assert (after["views"], after["state"], after["name"]) == (1, "open", "For the notary")
    assert after["subject"] == {"kind": "item", "id": str(item.id), "version": None, "title": "Account"}
    assert "token" not in after
    (view,) = (await home.call("GET", f"shares/{made['id']}/views"))["items"]
    assert (view["outcome"], view["device"]) == ("opened", "Firefox on Windows")
    assert view["viewed_at"] == after["viewed_at"]


async def test_a_record_is_shared_as_it_is_now_and_without_secrets_if_wanted(home: Home):
    item = await home.item(type="login", title="Router", fields={"username": "admin", "password": "s3cret"})

    made = await share(home, {"item_id": str(item.id)}, secrets=False)
    await home.call("PATCH", f"items/{item.id}", {"title": "New router"})
    shown = (await open_it(home, made)).json()["item"]

    assert (shown["title"], [each["name"] for each in shown["fields"]]) == ("New router", ["username"])


async def test_a_file_comes_with_a_ticket_and_stays_the_version_that_was_shared(home: Home):
    document = await make_document(home.ada, home.vault, content=b"version one", name="a \u201cb\u201d.txt")
    subject = {"document_id": str(document.id)}
    made = await share(home, subject, max_views=1)
    first = await share(home, {**subject, "version": 1})
    url = f"/v1/vault/documents/{document.id}/content"
    await home.client.put(url, content=b"version two", headers=auth(home.ada))

    shown = (await open_it(home, made)).json()

    assert (shown["item"], shown["views_left"], shown["file"]["size"]) == (None, 0, 11)
    ticket = {"ticket": shown["file"]["ticket"]}
    for _ in range(2):
        got = await home.client.post("/v1/vault/shared/content", json=ticket)
        assert (got.status_code, got.content) == (200, b"version one")
        assert got.headers["Content-Disposition"].startswith("attachment;")
        assert (got.headers["Content-Type"], got.headers["Cache-Control"]) == ("text/plain", "no-store")
    assert (await open_it(home, made)).status_code == 404
    assert (await open_it(home, first)).json()["file"]["name"] == "a \u201cb\u201d.txt"
    second = await share(home, subject)
    assert second["subject"]["version"] == 2
    await home.call("POST", "shares", {"subject": {**subject, "version": 9}}, status=404)
    async with session_scope() as session:
        aged = text("UPDATE vault_share_views SET created_at = now() - interval '16 minutes' WHERE share_id = :id")
        await session.execute(aged, {"id": made["id"]})
    assert (await home.client.post("/v1/vault/shared/content", json=ticket)).status_code == 404


async def test_a_ticket_ends_with_its_share(home: Home):
    document = await make_document(home.ada, home.vault)
    made = await share(home, {"document_id": str(document.id)})
    ticket = {"ticket": (await open_it(home, made)).json()["file"]["ticket"]}
    assert (await home.client.post("/v1/vault/shared/content", json=ticket)).status_code == 200

    await home.call("DELETE", f"shares/{made['id']}", status=204)

    assert (await home.client.post("/v1/vault/shared/content", json=ticket)).status_code == 404
    assert (await home.client.post("/v1/vault/shared/content", json={"ticket": new_token()})).status_code == 404


async def test_whatever_ends_a_share_the_answer_is_the_same(home: Home):
    revoked, expired, used = [await share(home, max_views=1) for _ in range(3)]
    trashed = await share(home)
    locked = await share(home, password=PASSWORD)
    await home.call("DELETE", f"shares/{revoked['id']}")
    assert (await open_it(home, used)).status_code == 200
    await home.call("DELETE", f"items/{trashed['subject']['id']}")
    async with session_scope() as session:
        statement = text("UPDATE vault_shares SET expires_at = now() - interval '1 second' WHERE id = ANY(:ids)")
        await session.execute(statement, {"ids": [expired["id"], locked["id"]]})

    answers = [await open_it(home, each) for each in (revoked, expired, used, trashed)]
    answers.append(await open_it(home, locked, "no password"))
    answers.append(await open_it(home, {"token": new_token()}))

    bodies = [{k: v for k, v in each.json().items() if k != "request_id"} for each in answers]
    assert bodies == [bodies[0]] * 6
    assert (answers[0].status_code, bodies[0]["code"]) == (404, "share-not-found")
    states = [await state(home, each) for each in (revoked, expired, used, trashed)]
    assert states == ["revoked", "expired", "used_up", "suspended"]
    await home.call("POST", f"items/{trashed['subject']['id']}/restore")
    assert (await open_it(home, trashed)).status_code == 200


async def test_a_share_ends_with_the_access_of_who_made_it(home: Home):
    item, editor = await home.item(), await home.member("editor")
    body = {"subject": {"item_id": str(item.id)}}
    made = await home.call("POST", "shares", body, who=editor)
    assert (await open_it(home, made)).status_code == 200
    member = f"vaults/{home.vault.id}/members/{editor.id}"

    await home.call("PATCH", member, {"role": "viewer"})
    assert (await open_it(home, made)).status_code == 404
    assert (await home.call("GET", f"shares/{made['id']}", who=editor))["state"] == "suspended"
    await home.call("PATCH", member, {"role": "editor"})
    assert (await open_it(home, made)).status_code == 200
    await home.call("DELETE", member)
    assert (await open_it(home, made)).status_code == 404
    await home.call("GET", f"shares/{made['id']}", who=editor, status=404)
    await tasks.forget_member(vault_id=str(home.vault.id), user_id=str(editor.id))
    assert await rows_of("SELECT id FROM vault_shares WHERE id = :id", id=made["id"]) == []

    await home.call("POST", "shares", body, who=editor, status=404)
    own = await share(home, {"item_id": str(item.id)})
    await home.call("DELETE", f"vaults/{home.vault.id}")
    assert (await open_it(home, own)).status_code == 404


async def test_a_password_is_asked_for_and_wrong_ones_are_logged(home: Home):
    made = await share(home, password=PASSWORD, max_views=1)

    missing, wrong = await open_it(home, made), await open_it(home, made, "horse")
    right = await open_it(home, made, PASSWORD)

    assert [each.status_code for each in (missing, wrong, right)] == [403, 403, 200]
    assert missing.json()["code"] == wrong.json()["code"] == "share-password-needed"
    assert made["has_password"] is True
    views = (await home.call("GET", f"shares/{made['id']}/views"))["items"]
    assert [each["outcome"] for each in views] == ["opened", "refused"]
    [row] = await rows_of("SELECT s::text AS row, body FROM vault_shares s WHERE id = :id", id=made["id"])
    assert b"argon2" not in row.body
    assert made["token"] not in row.row
    assert token_digest(made["token"]).hex() in row.row


async def test_passwords_and_tokens_are_not_guessed(home: Home):
    made = await share(home, password=PASSWORD)
    with changed_settings(share_tries=2):
        answers = [await open_it(home, made, "wrong password") for _ in range(3)]
        late = await open_it(home, made, PASSWORD)

    assert [each.status_code for each in answers] == [403, 403, 429]
    assert (late.status_code, late.json()["code"]) == (429, "too-many-tries")
    assert int(late.headers["Retry-After"]) > 0
    with changed_settings(share_tries=1):
        guesses = [(await open_it(home, {"token": new_token()})).status_code for _ in range(3)]
    assert guesses[-1] == 429


async def test_a_share_opens_exactly_as_often_as_it_may(home: Home):
    made = await share(home, max_views=3)

    answers = await asyncio.gather(*(open_it(home, made) for _ in range(8)))

    assert sorted(each.status_code for each in answers) == [200] * 3 + [404] * 5
    assert sorted(each.json()["views_left"] for each in answers if each.is_success) == [0, 1, 2]
    assert (await home.call("GET", f"shares/{made['id']}"))["views"] == 3
    assert len((await home.call("GET", f"shares/{made['id']}/views"))["items"]) == 3


async def test_shares_are_made_by_who_may_and_seen_by_who_made_or_manages_them(home: Home):
    item, editor, admin = await home.item(), await home.member("editor"), await home.member("admin")
    body = {"subject": {"item_id": str(item.id)}, "name": "Zqxname"}

    assert (await home.call("POST", "shares", body, who=home.bob, status=403))["code"] == "role-too-low"
    await home.call("POST", "shares", body, who=home.eve, status=404)
    made = await home.call("POST", "shares", body, who=editor)
    path = f"shares/{made['id']}"
    for who in (editor, admin, home.ada):
        assert (await home.call("GET", path, who=who))["name"] == "Zqxname"
        assert [each["id"] for each in (await home.call("GET", "shares", who=who))["items"]] == [made["id"]]
        assert (await home.call("GET", f"{path}/views", who=who))["items"] == []
    for who in (home.bob, home.eve, await home.member("editor")):
        assert (await home.call("GET", "shares", who=who))["items"] == []
        for method, there in (("GET", path), ("DELETE", path), ("GET", f"{path}/views")):
            await home.call(method, there, who=who, status=404)
    await home.call("GET", "shares", who=home.eve, vault_id=str(home.vault.id), status=404)
    assert (await home.call("GET", "shares", vault_id=str(home.other.id)))["items"] == []
    await home.call("DELETE", path, who=admin, status=204)
    assert (await open_it(home, made)).status_code == 404
    assert (await home.call("GET", path, who=editor))["state"] == "revoked"
    await home.call("DELETE", path, who=editor, status=204)


async def test_whoever_may_no_longer_share_can_still_take_a_share_back(home: Home):
    item, editor = await home.item(), await home.member("editor")
    made = await home.call("POST", "shares", {"subject": {"item_id": str(item.id)}}, who=editor)
    await home.call("PATCH", f"vaults/{home.vault.id}/members/{editor.id}", {"role": "viewer"})

    await home.call("DELETE", f"shares/{made['id']}", who=editor, status=204)

    assert (await home.call("GET", f"shares/{made['id']}", who=editor))["state"] == "revoked"


async def test_shares_come_in_pages_and_are_no_more_than_allowed(home: Home):
    with changed_settings(shares_per_user=3, share_max_days=2):
        for _ in range(3):
            made = await share(home, hours=48)
        subject = {"item_id": made["subject"]["id"]}
        too_many = await home.call("POST", "shares", {"subject": subject, "hours": 1}, status=409)
        await home.call("DELETE", f"shares/{made['id']}")
        too_long = await home.call("POST", "shares", {"subject": subject, "hours": 49}, status=409)
        await share(home, hours=1)

    assert too_many["code"] == too_long["code"] == "limit-reached"
    first = await home.call("GET", "shares", limit=3)
    second = await home.call("GET", "shares", limit=3, cursor=first["next_cursor"])
    assert [len(page["items"]) for page in (first, second)] == [3, 1]
    assert second["next_cursor"] is None


async def test_what_is_over_for_long_is_swept(home: Home):
    old, revoked, live = [await share(home) for _ in range(3)]
    await open_it(home, old)
    await home.call("DELETE", f"shares/{revoked['id']}")
    days = current().settings.trash_days
    async with session_scope() as session:
        statement = text("UPDATE vault_shares SET expires_at = now() - make_interval(days => :days) WHERE id = :id")
        await session.execute(statement, {"id": old["id"], "days": days + 1})

    assert await tasks.sweep_shares() >= 1

    left = await rows_of("SELECT id FROM vault_shares WHERE user_id = :ada ORDER BY id", ada=home.ada.id)
    assert [str(row.id) for row in left] == [revoked["id"], live["id"]]
    assert await rows_of("SELECT id FROM vault_share_views WHERE share_id = :id", id=old["id"]) == []
    await tasks.sweep_shares(now=utc_now() + timedelta(days=days + 1))
    left = await rows_of("SELECT id FROM vault_shares WHERE user_id = :ada", ada=home.ada.id)
    assert revoked["id"] not in {str(row.id) for row in left}


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {}},
        {"subject": {"item_id": "x"}},
        {"subject": {"item_id": str(uuid4()), "version": 1}},
        {"hours": 0},
        {"hours": 24 * 367},
        {"max_views": 0},
        {"password": "short"},
        {"password": "\x00" * 9},
        {"colour": "red"},
    ],
)
async def test_a_malformed_share_is_refused(home: Home, changes):
    await home.call("POST", "shares", {"subject": {"item_id": str(uuid4())}, **changes}, status=422)


async def test_what_is_no_token_is_refused(home: Home):
    for path, name in (("open", "token"), ("content", "ticket")):
        for value in ("", "x", "x" * 44, "\u00e9" * 43, 1):
            answer = await home.client.post(f"/v1/vault/shared/{path}", json={name: value})
            assert answer.status_code == 422


async def test_neither_strangers_nor_members_see_rows_of_shares(home: Home):
    from app.db.session import NOBODY, Actor

    made = await share(home)
    await open_it(home, made)
    editor, stranger = await home.member("editor"), await make_user()
    await make_member(home.vault, role="viewer", user=stranger)
    for table, column in (("vault_shares", "id"), ("vault_share_views", "share_id")):
        for actor, count in (
            (NOBODY, 0),
            (Actor.user(home.eve.id), 0),
            (Actor.user(editor.id), 0),
            (Actor.user(stranger.id), 0),
            (Actor.user(home.ada.id), 1),
            (Actor.vault(home.vault.id), 1),
        ):
            async with session_scope(actor) as session:
                rows = await session.execute(text(f"SELECT id FROM {table} WHERE {column} = :id"), {"id": made["id"]})
                assert len(rows.all()) == count, (table, actor)
