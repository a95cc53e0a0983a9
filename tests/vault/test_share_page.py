"""The page of a share: nothing is spent by looking at it, nothing runs that we did not write, everything is escaped."""

import re

import httpx
import pytest

from app.core.crypto import new_token
from tests.factories import make_document
from tests.notifications.smtp import changed_settings
from tests.vault.home import Home, home

__all__ = ["home"]

VIEW = "/v1/vault/shared"
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture(autouse=True)
def many_tries():
    with changed_settings(share_tries=100_000):
        yield


async def post(home: Home, path: str = VIEW, **form: str) -> httpx.Response:
    return await home.client.post(path, data=form)


async def test_a_look_at_the_page_spends_nothing_and_is_the_same_for_every_link(home: Home):
    made = await home.call("POST", "shares", {"subject": {"item_id": str((await home.item()).id)}, "max_views": 1})

    pages = [await home.client.get(VIEW) for _ in range(2)]
    head = await home.client.head(VIEW)

    assert {page.status_code for page in pages} == {200}
    assert pages[0].text == pages[1].text
    assert head.status_code in (200, 405)
    assert (await home.call("GET", f"shares/{made['id']}"))["views"] == 0
    policy = pages[0].headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert pages[0].headers["Referrer-Policy"] == "no-referrer"
    assert "//" not in re.sub(r"<style>.*?</style>", "", pages[0].text, flags=re.DOTALL).partition("<script>")[0]


async def test_a_record_is_shown_and_everything_in_it_is_escaped(home: Home):
    fields = {"username": HOSTILE, "password": "s3cret", HOSTILE: HOSTILE, "paid": True}
    fields["cost"] = {"amount": "12.50", "currency": "EUR"}
    item = await home.item(type="login", title=HOSTILE, fields=fields, notes=f"{HOSTILE}\nSecond line")
    made = await home.call("POST", "shares", {"subject": {"item_id": str(item.id)}, "max_views": 5})

    shown = await post(home, token=made["token"])

    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<script>" not in shown.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text
    for text in (
        "Ada Lovelace",
        "<summary>Show</summary><span>s3cret</span>",
        "12.50 EUR",
        "<dd>yes</dd>",
        "4 more times",
    ):
        assert text in shown.text
    assert made["token"] not in shown.text


async def test_a_password_is_asked_for_on_the_page(home: Home):
    item = await home.item(title="Behind a password")
    body = {"subject": {"item_id": str(item.id)}, "password": "horse battery"}
    made = await home.call("POST", "shares", body)

    asked, wrong = await post(home, token=made["token"]), await post(home, token=made["token"], password="nope nope")
    right = await post(home, token=made["token"], password="horse battery")

    assert (asked.status_code, wrong.status_code, right.status_code) == (403, 403, 200)
    assert 'type="password"' in asked.text
    assert "not the password" not in asked.text
    assert "not the password" in wrong.text
    assert "Behind a password" in right.text


async def test_a_file_is_offered_and_sent(home: Home):
    document = await make_document(home.ada, home.vault, content=b"x" * 2_048, name="policy.txt", title="Policy")
    made = await home.call("POST", "shares", {"subject": {"document_id": str(document.id)}, "max_views": 1})

    shown = await post(home, token=made["token"])
    ticket = re.search(r'name="ticket" value="([^"]+)"', shown.text)
    assert ticket
    sent = await post(home, f"{VIEW}/file", ticket=ticket[1])

    assert all(text in shown.text for text in ("<h1>Policy</h1>", "policy.txt", "2.0 KiB", "0 more times"))
    assert (sent.status_code, sent.content) == (200, b"x" * 2_048)
    assert "attachment" in sent.headers["Content-Disposition"]


async def test_what_is_over_or_never_was_looks_the_same(home: Home):
    made = await home.call("POST", "shares", {"subject": {"item_id": str((await home.item()).id)}})
    await home.call("DELETE", f"shares/{made['id']}")

    over, never = await post(home, token=made["token"]), await post(home, token=new_token())

    assert (over.status_code, over.text) == (404, never.text)
    assert (await post(home, f"{VIEW}/file", ticket=new_token())).status_code == 404
    assert (await post(home, token="x")).status_code == 422
    assert (await post(home)).status_code == 422
    with changed_settings(share_tries=1):
        answers = [await post(home, token=new_token()) for _ in range(3)]
    assert answers[-1].status_code == 429
    assert "Try again in" in answers[-1].text
