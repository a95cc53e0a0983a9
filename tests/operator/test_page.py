"""The operators' page: who gets in, what ends it, and what it tells."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import insert

from app.agents.models import ModelCall
from app.core.clock import new_id, utc_now
from app.core.tasks import TASKS, Task
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun, create_job
from app.jobs.workers import note_worker
from app.operator.pages import FILES
from tests.auth.conftest import visit
from tests.auth.test_second_factor import set_up
from tests.conftest import drain_jobs
from tests.factories import PASSWORD, TestUser, auth, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings

__all__ = ["visit"]

pytestmark = pytest.mark.anyio
COOKIE = "lifevault-operator"
MARKER = "zebra crossing"


@pytest.fixture
def browser(operator: TestUser, visit: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """Keeps cookies, and comes from an address of its own."""
    return visit()


@pytest.fixture
def failing_kind() -> Iterator[str]:
    """A kind of job that fails for a reason that has a name."""

    async def fail(_: JobRun) -> None:
        raise JobFailed("test-reason", MARKER)

    kind = f"tests.fail_{new_id().hex}"
    TASKS[kind] = Task(kind, fail, None, None)
    yield kind
    del TASKS[kind]


async def enter(browser: httpx.AsyncClient, email: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    return await browser.post("/operator/sign-in", data={"email": email, "password": password}, headers=headers)


async def status_of_figures(browser: httpx.AsyncClient) -> int:
    return (await browser.get("/operator/figures")).status_code


async def test_where_nobody_is_an_operator_there_is_no_page(client):
    answers = [await client.get(path) for path in ("/operator", "/operator/figures", "/operator/files/board.js")]
    answers.append(await enter(client, "ada@example.com"))

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_an_operator_signs_in_sees_figures_and_signs_out(browser, operator):
    asked = await browser.get("/operator")
    entered = await enter(browser, operator.email)
    cookie = entered.headers["set-cookie"]
    page, figures = await browser.get("/operator"), await browser.get("/operator/figures")
    kept = browser.cookies[COOKIE]
    left = await browser.post("/operator/sign-out")
    after = await browser.get("/operator/figures", headers={"Cookie": f"{COOKIE}={kept}"})

    assert "current-password" in asked.text
    assert (entered.status_code, entered.headers["location"]) == (303, "../operator")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Max-Age" not in cookie
    assert "board.js" in page.text
    assert (figures.status_code, figures.headers["cache-control"]) == (200, "no-store")
    assert (left.status_code, COOKIE in browser.cookies) == (303, False)
    assert after.status_code == 404, "the session itself has ended, not the cookie alone"


async def test_nobody_else_gets_in_and_their_session_is_not_kept(browser, operator):
    stranger, unconfirmed = await make_user(), await make_user(verified=False)
    answers = [await enter(browser, stranger.email)]
    with changed_settings(operators=(unconfirmed.email,)):
        answers.append(await enter(browser, unconfirmed.email))
    sessions = await browser.get("/v1/auth/sessions", headers=auth(stranger))

    assert [(answer.status_code, "set-cookie" in answer.headers) for answer in answers] == [(404, False)] * 2
    assert [each["id"] for each in sessions.json()["items"]] == [str(stranger.session_id)]
    assert await status_of_figures(browser) == 404


async def test_tokens_and_the_cookie_do_not_stand_in_for_each_other(browser, operator):
    await enter(browser, operator.email)
    cookie = browser.cookies[COOKIE]
    browser.cookies.clear()
    as_token = await browser.get("/v1/auth/me", headers={"Authorization": f"Bearer {cookie}"})
    as_cookie = await browser.get("/operator/figures", headers={"Cookie": f"{COOKIE}={operator.access_token}"})
    by_token = await browser.get("/operator/figures", headers=auth(operator))

    assert (as_token.status_code, as_cookie.status_code, by_token.status_code) == (401, 404, 404)


async def test_a_session_that_ends_elsewhere_and_a_duty_that_ends_close_the_page(browser, operator):
    await enter(browser, operator.email)
    open_for_them = await status_of_figures(browser)
    with changed_settings(operators=("somebody-else@example.com",)):
        without_duty = await status_of_figures(browser)
    sessions = await browser.get("/v1/auth/sessions", headers=auth(operator))
    newest = sessions.json()["items"][0]["id"]
    await browser.delete(f"/v1/auth/sessions/{newest}", headers=auth(operator))

    assert newest != str(operator.session_id)
    assert [open_for_them, without_duty, await status_of_figures(browser)] == [200, 404, 404]


async def test_wrong_passwords_are_counted(browser, operator):
    with changed_settings(sign_in_attempts=2):
        answers = [await enter(browser, operator.email, "wrong") for _ in range(3)]
        right = await enter(browser, operator.email)

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert 'role="alert"' in answers[-1].text
    assert (right.status_code, "set-cookie" in right.headers) == (429, False)


async def test_a_second_factor_is_asked_for(browser, operator):
    app, recovery_codes = await set_up(browser, operator)
    asked = await enter(browser, operator.email)
    challenge = re.search(r'name="challenge" value="([^"]+)"', asked.text)[1]
    wrong = await browser.post("/operator/second-factor", data={"challenge": challenge, "answer": app.wrong()})
    nothing = await browser.post("/operator/second-factor", data={"challenge": challenge, "passkey": "{"})
    closed = await status_of_figures(browser)
    right = await browser.post("/operator/second-factor", data={"challenge": challenge, "answer": f" {app.code()} "})
    opened = await status_of_figures(browser)
    browser.cookies.clear()
    again = re.search(r'name="challenge" value="([^"]+)"', (await enter(browser, operator.email)).text)[1]
    recovered = await browser.post("/operator/second-factor", data={"challenge": again, "answer": recovery_codes[0]})

    assert (asked.status_code, "set-cookie" in asked.headers) == (401, False)
    assert (wrong.status_code, nothing.status_code, closed) == (401, 401, 404)
    assert (right.status_code, opened) == (303, 200)
    assert recovered.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://lifevault.test"},
        {"Origin": "https://elsewhere.example"},
    ],
)
async def test_forms_of_other_pages_are_refused(browser, operator, headers):
    entered = await enter(browser, operator.email, **headers)
    await enter(browser, operator.email, **{"Sec-Fetch-Site": "same-origin", "Origin": "null"})
    left = await browser.post("/operator/sign-out", headers=headers)

    assert (entered.status_code, left.status_code) == (403, 403)
    assert await status_of_figures(browser) == 200


async def test_by_https_the_cookie_is_held_to_this_host(browser, operator):
    with changed_settings(operators=(operator.email,), public_url="https://vault.example"):
        entered = await enter(browser, operator.email)

    assert entered.headers["set-cookie"].startswith("__Host-lifevault-operator=")
    assert "Secure" in entered.headers["set-cookie"].split("; ")


async def test_the_figures_are_those_of_what_happened_and_name_nobody(browser, operator, failing_kind):
    person = await make_user(name=MARKER)
    vault = await make_vault(person, name=MARKER)
    await make_item(person, vault, title=MARKER)
    await enter(browser, operator.email)
    before = (await browser.get("/operator/figures")).json()
    for _ in range(3):
        await browser.get("/v1/vault/items", params={"vault_id": vault.id}, headers=auth(person))
    await browser.get("/v1/vault/items", params={"vault_id": str(new_id())}, headers=auth(person))
    async with session_scope() as session:
        await create_job(session, failing_kind)
        use = {"step": 1, "prompt_tokens": 700, "completion_tokens": 60, "credits": 4, "created_at": utc_now()}
        await session.execute(
            insert(ModelCall).values(id=new_id(), user_id=person.id, model=f"model of {failing_kind}", **use)
        )
    await drain_jobs(current().settings)
    await note_worker()
    current_runtime = current()
    with changed_settings(operators=current_runtime.settings.operators):  # another runtime: the day is asked for anew
        answer = await browser.get("/operator/figures")
    after = answer.json()

    now, then = (answers_of(figures, "GET", "/v1/vault/items") for figures in (after, before))
    assert (now[0] - then[0], now[2] - then[2]) == (3, 1)
    assert sum(after["traffic"]["every"]["buckets"]) - sum(before["traffic"]["every"]["buckets"]) == 4
    assert not [each for each in after["traffic"]["routes"] if each["route"].startswith("/operator")]
    failures = [each for each in after["day"]["work"]["failures"] if each["kind"] == failing_kind]
    assert [(each["code"], each["count"]) for each in failures] == [("test-reason", 1)]
    assert sum(after["day"]["work"]["failed_by_hour"]) >= 1
    model = next(each for each in after["day"]["models"] if each["model"].endswith(failing_kind))
    assert (model["requests"], model["credits"], model["by_hour"][-1]) == (1, 4, 1)
    assert {each["name"]: each["state"] for each in after["parts"]}.items() >= {"database": "ok", "queue": "ok"}.items()
    assert after["workers"]
    assert after["pool"]["in_use"] >= 1
    assert not re.search(rf"{MARKER}|{person.id}|@", answer.text)


def answers_of(figures, method, route) -> list[int]:
    found = [each for each in figures["traffic"]["routes"] if (each["method"], each["route"]) == (method, route)]
    return found[0]["answers"] if found else [0, 0, 0, 0]


async def test_the_pages_hold_no_script_or_style_and_name_no_other_host(browser, operator):
    door = await browser.get("/operator")
    await enter(browser, operator.email)
    board = await browser.get("/operator")
    for page in (door, board):
        policy = page.headers["content-security-policy"]
        files = re.findall(r'(?:src|href|action)="([^"#]+)"', page.text)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)|\son\w+=", page.text)
        assert not [name for name in files if "//" in name]
    for name in FILES:
        file = await browser.get(f"/operator/files/{name}")
        assert (file.status_code, file.headers["content-type"].partition(";")[0]) == (200, FILES[name])
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.text)
    assert (await browser.get("/operator/files/router.py")).status_code == 404
