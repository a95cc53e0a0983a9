"""The page of a share in a real browser."""

from shutil import which

import pytest

from tests.stack import Stack

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")


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
        page.on("pageerror", lambda error: errors.append(str(error)))
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

    assert (address, field) == (f"{stack.url}/v1/vault/shared", "hidden")
    assert not any(share["token"] in url for url in sent)
    assert (hidden, shown, font) == (False, True, "576px")
    assert [error for error in errors if "403" not in error and "favicon" not in error] == []
    assert client.get(path).json()["state"] == "used_up"
