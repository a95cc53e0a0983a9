"""Passkeys in a real browser, with its virtual authenticator."""

from shutil import which
from typing import Any

import pytest

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
CREATE = """async options => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  return (await navigator.credentials.create({publicKey})).toJSON()
}"""
GET = """async options => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  return (await navigator.credentials.get({publicKey})).toJSON()
}"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_makes_a_passkey_and_signs_in_with_it_with_and_without_a_password(stack):
    from playwright.sync_api import sync_playwright

    person = stack.person()
    client = person.client

    def post(path: str, body: Any = None, status: int = 200) -> Any:
        response = client.post(f"/v1/auth{path}", json=body)
        assert response.status_code == status, response.text
        return response.json()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page()
        devices = page.context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        page.goto(f"{stack.url.replace('127.0.0.1', 'localhost')}/docs")
        made = page.evaluate(CREATE, post("/passkeys/registration/options")["options"])
        created = post("/passkeys", {"name": "Browser", "passkey": made}, 201)
        answer = page.evaluate(GET, post("/token/passkey/options")["options"])
        without_password = post("/token/passkey", {"passkey": answer})
        asked = post("/login", {"email": person.email, "password": person.password}, 401)
        answer = page.evaluate(GET, asked["passkey_options"])
        with_password = post("/token/second-factor", {"challenge": asked["challenge"], "passkey": answer})
        browser.close()

    assert created["name"] == "Browser"
    for tokens in (without_password, with_password):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert client.get("/v1/auth/me", headers=headers).json()["email"] == person.email
