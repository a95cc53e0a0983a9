"""The page of a share: nothing is spent by looking at it, nothing runs that we did not write, everything is escaped."""

import re
from shutil import which

import httpx
import pytest

from app.core.crypto import new_token
from tests.factories import make_document
from tests.notifications.smtp import changed_settings
from tests.stack import Stack
from tests.vault.home import Home, home

__all__ = ["home"]

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
VIEW = "/v1/vault/shares/view"
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
    for text in ("Ada Lovelace", "<summary>Show</summary>s3cret", "12.50 EUR", "<dd>yes</dd>", "4 more times"):
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


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_somebody_opens_a_link_in_a_browser(stack: Stack):
    from playwright.sync_api import sync_playwright

    person = stack.person()
    client = person.client
    vault = client.post("/v1/vault/vaults", json={"name": "Papers"}).raise_for_status().json()
    item = {"vault_id": vault["id"], "type": "login", "title": "Router", "fields": {"password": "s3cret-zebra"}}
    item_id = client.post("/v1/vault/items", json=item).raise_for_status().json()["id"]
    body = {"subject": {"item_id": item_id}, "password": "horse battery", "max_views": 1}
    share = client.post("/v1/vault/shares", json=body).raise_for_status().json()
    path = f"/v1/vault/shares/{share['id']}"
    sent: list[str] = []
    errors: list[str] = []

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page()
        page.on("request", lambda request: sent.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(share["url"].replace(share["url"].partition("/v1/")[0], stack.url))
        address, field = page.evaluate("location.href"), page.locator("#token").get_attribute("type")
        assert client.get(path).json()["views"] == 0, "scripts have run, and nothing is spent"
        page.click("text=Show it")
        page.fill("input[type=password]", "horse battery")
        page.click("text=Show it")
        page.wait_for_selector("h1:has-text('Router')")
        hidden = page.locator("text=s3cret-zebra").is_visible()
        page.click("summary")
        shown = page.locator("text=s3cret-zebra").is_visible()
        font = page.evaluate("getComputedStyle(document.body).maxWidth")
        browser.close()

    assert (address, field) == (f"{stack.url}/v1/vault/shares/view", "hidden")
    assert not any(share["token"] in url for url in sent)
    assert (hidden, shown, font) == (False, True, "576px")
    assert [error for error in errors if "403" not in error and "favicon" not in error] == []
    assert client.get(path).json()["state"] == "used_up"
