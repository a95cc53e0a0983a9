"""The operators' page in a real browser that reaches nothing but this host."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest

from app.core.clock import new_id
from app.db.runtime import Runtime, current
from app.jobs.workers import note_worker
from tests.auth.test_passkeys_in_browser import AUTHENTICATOR, CREATE
from tests.conftest import application, drain_jobs
from tests.factories import PASSWORD, TestUser, auth, make_document, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.serving import served

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
MARKER = "zebra"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """The base URL of the application, served by uvicorn in this event loop."""
    async with served(application(runtime.settings)) as url:
        yield url


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.failed: list[str] = []
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(60_000)
        page.on("requestfailed", self.note)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def note(self, request: Any) -> None:
        """What the page gives up itself, as it is left, has not failed."""
        if request.failure != "net::ERR_ABORTED":
            self.failed.append(request.url)

    async def let_through(self, route: Any) -> None:
        if route.request.url.startswith(self.url):
            await route.continue_()
        else:
            self.foreign.append(route.request.url)
            await route.abort()

    async def sign_in(self, email: str, password: str = PASSWORD) -> int:
        """Fill in the form; the status of the answer."""
        await self.page.goto(f"{self.url}/operator")
        await self.page.fill("input[name=email]", email)
        await self.page.fill("input[name=password]", password)
        async with self.page.expect_response("**/operator/sign-in") as answer:
            await self.page.click("text=Sign in")
        return (await answer.value).status


@pytest.fixture
async def watched(url: str) -> AsyncIterator[Watched]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(color_scheme="dark", viewport={"width": 1440, "height": 900})
        watched = Watched(page, url)
        await page.route("**/*", watched.let_through)
        yield watched
        await browser.close()


async def use(url: str) -> None:
    """Somebody keeps something, looks at it, is refused once, and has a document read."""
    person = await make_user(name=MARKER)
    vault = await make_vault(person, name=MARKER)
    async with httpx.AsyncClient(base_url=url, headers=auth(person), timeout=60) as client:
        for _ in range(12):
            (await client.get("/v1/vault/items", params={"vault_id": str(vault.id)})).raise_for_status()
        assert (await client.get(f"/v1/vault/items/{new_id()}")).status_code == 404
    await make_document(person, vault, content=b"Car insurance. The excess is 250 euros.\n", name=f"{MARKER}.txt")
    await drain_jobs(current().settings)
    await note_worker()


async def test_an_operator_watches_real_traffic_in_plots(watched: Watched, operator: TestUser, tmp_path: Path):
    page, url = watched.page, watched.url
    await use(url)  # what is asked of the database is kept for a while, so it must be there before the first look
    assert await watched.sign_in(operator.email) == 303
    await page.wait_for_selector("#live.on")
    await use(url)
    await page.click("text=Last 15 min")
    row = "#routes tr:has-text('/v1/vault/items'):not(:has-text('{'))"
    await page.wait_for_selector(row)
    for drawn in ("requests-chart path.area.good", "latency-chart path.line.second", "pool-chart path.area.cool"):
        await page.wait_for_selector(f"#{drawn}", state="attached")
    await page.wait_for_selector("#hours-chart rect.bar.good")
    requests = await page.inner_text(f"{row} td")
    await page.focus("#requests-chart svg")
    await page.keyboard.press("ArrowLeft")
    moment = await page.inner_text("#requests-legend .when")
    await page.screenshot(path=tmp_path / "operators.png", full_page=True)
    shown = await page.inner_text("main")
    fits = []
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": 800})
        fits.append(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
    points = "JSON.parse(sessionStorage.getItem('lifevault.operator.history')).points.length"
    await page.reload()
    await page.wait_for_selector("#requests-chart path.area.good", state="attached")
    kept = await page.evaluate(points)
    cookies = {each["name"]: each for each in await page.context.cookies()}

    assert int(requests.replace(",", "")) >= 12
    assert re.fullmatch(r"\d\d:\d\d:\d\d", moment)
    assert "rag.ingest" in shown
    assert re.search(r"Workers\s+\d+ seen", shown)
    assert re.search(r"PostgreSQL\s+answers", shown)
    assert not re.search(rf"@|{MARKER}|Car insurance|{operator.name}", shown)
    assert (tmp_path / "operators.png").stat().st_size > 20_000
    assert fits == [True, True]
    assert kept >= 1
    assert (cookies["lifevault-operator"]["httpOnly"], cookies["lifevault-operator"]["sameSite"]) == (True, "Strict")
    assert (watched.failed, watched.foreign, watched.errors) == ([], [], [])

    await page.click("text=Sign out")
    await page.wait_for_selector("input[name=password]")
    assert await page.evaluate("sessionStorage.length") == 0
    assert await page.evaluate("async () => (await fetch('/operator/figures')).status") == 404


async def test_the_page_closes_when_the_session_ends_elsewhere(watched: Watched, operator: TestUser):
    await watched.sign_in(operator.email)
    await watched.page.wait_for_selector("#live.on")
    async with httpx.AsyncClient(base_url=watched.url, headers=auth(operator)) as client:
        newest = (await client.get("/v1/auth/sessions")).json()["items"][0]["id"]
        (await client.delete(f"/v1/auth/sessions/{newest}")).raise_for_status()
    await watched.page.wait_for_selector("input[name=password]")

    assert watched.foreign == []


async def test_others_get_nothing_and_wrong_passwords_are_counted(watched: Watched, operator: TestUser):
    stranger = await make_user()
    refused = await watched.sign_in(stranger.email)
    cookies = await watched.page.context.cookies()
    with changed_settings(sign_in_attempts=2, operators=current().settings.operators):
        statuses = [await watched.sign_in(operator.email, "not the password") for _ in range(3)]
    alert = await watched.page.inner_text("[role=alert]")

    assert (refused, cookies) == (404, [])
    assert statuses == [401, 401, 429]
    assert "Try again in" in alert


async def test_a_passkey_is_the_second_step(watched: Watched, operator: TestUser):
    watched.url = watched.url.replace("127.0.0.1", "localhost")  # an address is no domain, which passkeys need
    operators = current().settings.operators
    devices = await watched.page.context.new_cdp_session(watched.page)
    await devices.send("WebAuthn.enable")
    await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await watched.page.goto(f"{watched.url}/operator")
    with changed_settings(operators=operators, passkey_domain="localhost", passkey_origins=(watched.url,)):
        async with httpx.AsyncClient(base_url=f"{watched.url}/v1/auth", headers=auth(operator)) as client:
            asked = (await client.post("/passkeys/registration/options")).raise_for_status().json()
            made = await watched.page.evaluate(CREATE, asked["options"])
            (await client.post("/passkeys", json={"name": "Browser", "passkey": made})).raise_for_status()
        status = await watched.sign_in(operator.email)
        await watched.page.click("text=Use a passkey instead")
        await watched.page.wait_for_selector("#live.on")

    assert status == 401
    assert (watched.failed, watched.foreign) == ([], [])
