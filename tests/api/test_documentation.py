"""The OpenAPI document is complete, and its pages need no other host."""

import asyncio
import re
from shutil import which

import httpx
import pytest
from openapi_spec_validator import validate

from app.api.faces import face_of
from app.db.runtime import Runtime
from app.main import create_app
from tests.conftest import application

pytestmark = pytest.mark.anyio
CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")


@pytest.fixture
async def document(client):
    return (await client.get("/openapi.json")).json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


async def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_who_has_the_document_is_not_sent_it_again(client):
    first = await client.get("/openapi.json")

    again = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    other = await client.get("/openapi.json", headers={"If-None-Match": '"another"'})

    tag = first.headers["etag"].removeprefix("W/")  # it was compressed
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (other.status_code, other.content) == (200, first.content)
    assert first.headers["cache-control"] == "no-cache"


async def test_others_are_answered_while_the_document_is_made(runtime: Runtime):
    transport = httpx.ASGITransport(create_app(runtime.settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        await client.get("/health/live")
        made = asyncio.create_task(client.get("/openapi.json"))
        meanwhile = 0
        while not made.done():
            meanwhile += (await client.get("/health/live")).is_success

    assert (await made).json()["openapi"].startswith("3.1")
    assert meanwhile > 10


async def test_a_document_below_a_path_says_where_the_api_is(runtime: Runtime):
    transport = httpx.ASGITransport(application(runtime.settings), root_path="/family")
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        document = (await client.get("/family/openapi.json")).json()

    assert document["servers"] == [{"url": "/family"}]


async def test_every_operation_has_a_tag_a_description_a_stable_id_and_its_errors(document):
    missing = []
    for method, path, operation in operations(document):
        name = f"{method} {path}"
        if not re.fullmatch(r"[a-z]+_[a-z0-9_]+", operation["operationId"]) or not operation.get("tags"):
            missing.append((name, "id or tag"))
        if not operation.get("description"):
            missing.append((name, "description"))
        face = face_of(path)
        expected = {"400", "429", "503"} | ({"401", "403"} if operation.get("security") else set())
        expected |= set() if face else {"422"}
        if not expected <= operation["responses"].keys():
            missing.append((name, expected - operation["responses"].keys()))
        for status, response in operation["responses"].items():
            form = "application/json" if face else "application/problem+json"
            if int(status) >= 400 and form not in response.get("content", {}) and status != "503":
                missing.append((name, status))
    ids = [operation["operationId"] for _, _, operation in operations(document)]

    assert missing == []
    assert len(ids) == len(set(ids))


async def test_every_request_body_has_an_example(document):
    schemas = document["components"]["schemas"]
    without = []
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref")
        if reference:
            schema = schemas[reference.rpartition("/")[2]]
            required = [schema["properties"][name] for name in schema.get("required", [])]
            if not schema.get("examples") and any(
                "$ref" not in each and "examples" not in each and "enum" not in each for each in required
            ):
                without.append(f"{method} {path}")

    assert without == []


async def test_the_pages_name_no_other_host(client):
    for page in ("/docs", "/redoc"):
        response = await client.get(page)
        assert response.status_code == 200
        files = re.findall(r'(?:src|href)="([^"]+)"', response.text)
        assert files
        assert not [name for name in files if "//" in name]
        for name in files:
            assert (await client.get(f"/{name}")).status_code == 200


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_person_signs_in_on_the_docs_page_in_a_browser_that_reaches_nothing_else(stack):
    from playwright.sync_api import sync_playwright

    person = stack.person()
    failed, foreign, errors = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.route(
            "**/*",
            lambda route: (
                route.continue_()
                if route.request.url.startswith(("http://127.0.0.1", "blob:", "data:"))
                else (
                    foreign.append(route.request.url),
                    route.abort(),
                )
            ),
        )
        page.goto(f"{stack.url}/redoc")
        page.wait_for_selector("text=LifeVault")
        page.wait_for_load_state("networkidle")  # what is left half loaded counts as failed
        page.goto(f"{stack.url}/docs")
        page.click("button.authorize")
        page.fill("#oauth_username", person.email)
        page.fill("#oauth_password", person.password)
        page.click(".auth-btn-wrapper button.authorize")
        page.wait_for_selector("text=Logout")
        page.click("button.btn-done")
        page.click("#operations-tag-auth")
        page.click("#operations-auth-auth_read_me")
        page.click("#operations-auth-auth_read_me button.execute")
        page.wait_for_selector("#operations-auth-auth_read_me .live-responses-table >> text=200")
        shown = page.inner_text("#operations-auth-auth_read_me .live-responses-table")
        browser.close()

    assert person.email in shown
    assert (failed, foreign, errors) == ([], [], [])
