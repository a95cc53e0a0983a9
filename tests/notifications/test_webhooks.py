"""Outgoing webhooks: signed after the Standard Webhooks, tried again, replayed, never sent where they must not be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update
from standardwebhooks.webhooks import Webhook

from app.core.outside import is_public
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.notifications.tasks import retry_webhooks
from app.notifications.webhooks.delivery import MOST_TRIES, PAUSES, send_message
from app.notifications.webhooks.models import WebhookMessage
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_item, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.serving import listening

pytestmark = pytest.mark.anyio
HOOKS = "/v1/notifications/webhooks"
Json = dict[str, Any]


@dataclass
class Program:
    """A program of somebody's that is told of events."""

    url: str
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def messages(self, secret: str) -> list[Json]:
        """What it heard, each message verified by the reference library."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.heard]


@pytest.fixture
def program() -> Iterator[Program]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = heard.answers.pop(0) if heard.answers else 204
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", heard.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as url:
        heard = Program(f"{url}/told")
        yield heard


@pytest.fixture(autouse=True)
def reachable(runtime: Runtime) -> Iterator[None]:
    with changed_settings(webhook_private_addresses=True):
        yield


async def subscribe(client: httpx.AsyncClient, person: TestUser, program: Program, *events: str) -> Json:
    body = {"url": program.url, "events": list(events) or ["vault.item_changed"]}
    answer = await client.post(HOOKS, json=body, headers=auth(person))
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def messages_of(client: httpx.AsyncClient, person: TestUser, hook: Json) -> list[Json]:
    found: list[Json] = (await client.get(f"{HOOKS}/{hook['id']}/messages", headers=auth(person))).json()["items"]
    return found


async def make_due() -> None:
    async with session_scope() as session:
        pending = update(WebhookMessage).where(WebhookMessage.state == "pending")
        await session.execute(pending.values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
    await retry_webhooks()


async def test_every_member_is_told_of_a_change_and_nobody_else(
    client: httpx.AsyncClient, program: Program, runtime: Runtime
):
    owner, stranger = await make_user(), await make_user()
    vault = await make_vault(owner)
    member = await make_member(vault, role="viewer")
    hooks = [await subscribe(client, person, program) for person in (owner, member)]
    await subscribe(client, stranger, program)
    await subscribe(client, owner, program, "reminders.due")

    item = await make_item(owner, vault, title="kestrelmarble")
    await drain_jobs(runtime.settings)

    assert len(program.heard) == 2
    for hook in hooks:
        told = await messages_of(client, owner if hook is hooks[0] else member, hook)
        assert [(each["event"], each["state"]) for each in told] == [("vault.item_changed", "delivered")]
    secrets = {hook["secret"] for hook in hooks}
    bodies = [body for _, body in program.heard]
    data = {"item_id": str(item.id), "vault_id": str(vault.id), "change": "created"}
    assert all(b"kestrelmarble" not in body for body in bodies)
    heard = [verified(secrets, headers, body) for headers, body in program.heard]
    assert [(each["type"], each["data"]) for each in heard] == [("vault.item_changed", data)] * 2


def verified(secrets: set[str], headers: dict[str, str], body: bytes) -> Json:
    for secret in secrets:
        try:
            found: Json = Webhook(secret).verify(body, headers)
            return found
        except Exception:
            continue
    raise AssertionError("no secret fits")


async def test_what_fails_is_tried_again_under_the_same_id_until_it_arrives(
    client: httpx.AsyncClient, program: Program, runtime: Runtime
):
    owner = await make_user()
    hook = await subscribe(client, owner, program)
    program.answers = [500, 302, 404]
    await make_item(owner, await make_vault(owner))
    for _ in range(4):
        await drain_jobs(runtime.settings)
        await make_due()
    await drain_jobs(runtime.settings)

    (message,) = await messages_of(client, owner, hook)
    path = f"{HOOKS}/{hook['id']}/messages/{message['id']}/attempts"
    tries = (await client.get(path, headers=auth(owner))).json()["items"]
    assert (message["state"], message["attempts"], message["due_at"]) == ("delivered", 4, None)
    assert [each["status"] for each in tries] == [500, 302, 404, 204]  # a redirect is not followed
    assert {headers["webhook-id"] for headers, _ in program.heard} == {"msg_" + UUID(message["id"]).hex}
    assert len({headers["webhook-timestamp"] for headers, _ in program.heard}) >= 1
    assert all(body for body in program.messages(hook["secret"]))


async def test_tries_spread_over_more_than_three_days_and_then_end(
    client: httpx.AsyncClient, program: Program, runtime: Runtime
):
    assert timedelta(hours=75) <= sum(PAUSES, timedelta()) <= timedelta(hours=77)
    owner = await make_user()
    hook = await subscribe(client, owner, program)
    program.answers = [503] * 50
    await make_item(owner, await make_vault(owner))
    await drain_jobs(runtime.settings)
    for _ in range(MOST_TRIES + 2):
        await make_due()
        await drain_jobs(runtime.settings)

    (message,) = await messages_of(client, owner, hook)
    seen = (await client.get(f"{HOOKS}/{hook['id']}", headers=auth(owner))).json()
    assert (message["state"], message["attempts"], len(program.heard)) == ("failed", MOST_TRIES, MOST_TRIES)
    assert (seen["state"], seen["reason"]) == ("disabled", "failing")


async def test_a_program_that_is_gone_is_told_nothing_any_more(
    client: httpx.AsyncClient, program: Program, runtime: Runtime
):
    owner = await make_user()
    vault = await make_vault(owner)
    hook = await subscribe(client, owner, program)
    program.answers = [410]
    for _ in range(2):
        await make_item(owner, vault)
        await drain_jobs(runtime.settings)

    seen = (await client.get(f"{HOOKS}/{hook['id']}", headers=auth(owner))).json()
    assert (seen["state"], seen["reason"], len(program.heard)) == ("disabled", "gone", 1)
    again = await client.patch(f"{HOOKS}/{hook['id']}", json={"state": "active"}, headers=auth(owner))
    assert (again.json()["state"], again.json()["reason"]) == ("active", None)


async def test_two_secrets_sign_while_one_is_exchanged(client: httpx.AsyncClient, program: Program, runtime: Runtime):
    owner = await make_user()
    hook = await subscribe(client, owner, program)
    new = (await client.post(f"{HOOKS}/{hook['id']}/secret", headers=auth(owner))).json()

    assert (await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))).status_code == 202
    await drain_jobs(runtime.settings)

    for secret in (hook["secret"], new["secret"]):
        assert [each["type"] for each in program.messages(secret)] == ["webhooks.test"]
    with changed_settings(webhook_overlap_seconds=0):
        last = (await client.post(f"{HOOKS}/{hook['id']}/secret", headers=auth(owner))).json()
    program.heard.clear()
    await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))
    await drain_jobs(runtime.settings)
    assert len(program.messages(last["secret"])) == 1
    with pytest.raises(Exception, match="signature"):
        program.messages(new["secret"])


async def test_a_message_can_be_sent_again(client: httpx.AsyncClient, program: Program, runtime: Runtime):
    owner = await make_user()
    hook = await subscribe(client, owner, program)
    await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))
    await drain_jobs(runtime.settings)
    (message,) = await messages_of(client, owner, hook)

    path = f"{HOOKS}/{hook['id']}/messages/{message['id']}/replay"
    assert (await client.post(path, headers=auth(owner))).status_code == 202
    await drain_jobs(runtime.settings)

    assert len({headers["webhook-id"] for headers, _ in program.heard}) == 1
    assert len(program.heard) == 2


async def test_two_workers_send_a_message_once(client: httpx.AsyncClient, program: Program, runtime: Runtime):
    import asyncio

    owner = await make_user()
    hook = await subscribe(client, owner, program)
    await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))
    (message,) = await messages_of(client, owner, hook)

    await asyncio.gather(*(send_message(UUID(message["id"])) for _ in range(8)))

    assert len(program.heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "https://127.0.0.1/x",
        "https://x]",
        "https://[::1]/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/x",
        "https://localhost/x",
        "https://redis/x",
        "https://vault.internal/x",
        "https://somebody@example.com/x",
    ],
)
async def test_an_address_inside_is_refused_when_it_is_named(client: httpx.AsyncClient, url: str):
    with changed_settings(webhook_private_addresses=False):
        answer = await client.post(
            HOOKS, json={"url": url, "events": ["vault.created"]}, headers=auth(await make_user())
        )

    assert (answer.status_code, answer.json()["code"]) == (422, "webhook-address-refused")


async def test_an_address_inside_is_refused_when_a_name_leads_to_it(
    client: httpx.AsyncClient, program: Program, runtime: Runtime
):
    owner = await make_user()
    hook = await subscribe(client, owner, program)
    await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))
    with changed_settings(webhook_private_addresses=False):
        await drain_jobs(runtime.settings)

    (message,) = await messages_of(client, owner, hook)
    path = f"{HOOKS}/{hook['id']}/messages/{message['id']}/attempts"
    tries = (await client.get(path, headers=auth(owner))).json()["items"]
    assert [(each["status"], each["error"]) for each in tries] == [(None, "address-refused")]
    assert program.heard == []
    assert not is_public("127.0.0.1")


async def test_a_stranger_is_told_that_the_webhook_does_not_exist(client: httpx.AsyncClient, program: Program):
    owner, stranger = await make_user(), await make_user()
    hook = await subscribe(client, owner, program)
    await client.post(f"{HOOKS}/{hook['id']}/test", headers=auth(owner))
    (message,) = await messages_of(client, owner, hook)
    path, headers = f"{HOOKS}/{hook['id']}", auth(stranger)

    calls: list[Callable[[], Any]] = [
        lambda: client.get(path, headers=headers),
        lambda: client.patch(path, json={"state": "disabled"}, headers=headers),
        lambda: client.delete(path, headers=headers),
        lambda: client.post(f"{path}/secret", headers=headers),
        lambda: client.post(f"{path}/test", headers=headers),
        lambda: client.get(f"{path}/messages", headers=headers),
        lambda: client.get(f"{path}/messages/{message['id']}/attempts", headers=headers),
        lambda: client.post(f"{path}/messages/{message['id']}/replay", headers=headers),
    ]
    assert [(await call()).status_code for call in calls] == [404] * len(calls)
    assert (await client.get(HOOKS, headers=headers)).json()["items"] == []
    unknown = await client.get(f"{HOOKS}/{uuid4()}", headers=auth(owner))
    assert unknown.status_code == 404
    assert (await client.delete(path, headers=auth(owner))).status_code == 204


@pytest.mark.parametrize("body", [{"events": []}, {"events": ["vault.unknown"]}, {"url": "ftp://x"}, {"more": 1}])
async def test_a_bad_webhook_is_refused(client: httpx.AsyncClient, body: Json):
    whole = {"url": "https://example.com/x", "events": ["vault.created"], **body}

    answer = await client.post(HOOKS, json=whole, headers=auth(await make_user()))

    assert answer.status_code == 422


async def test_a_token_without_the_scope_is_refused(client: httpx.AsyncClient):
    reader = await make_user(scope="vault:read")

    assert (await client.get(HOOKS, headers=auth(reader))).status_code == 403


async def test_secrets_and_addresses_are_sealed(client: httpx.AsyncClient, program: Program, runtime: Runtime):
    from tests.payments.books.conftest import rows_of

    owner = await make_user()
    hook = await subscribe(client, owner, program)

    (row,) = await rows_of(
        "SELECT t::text AS row, body FROM notifications_webhook_endpoints t WHERE id = :id", id=UUID(hook["id"])
    )
    assert hook["secret"][6:].encode() not in row.body
    assert b"127.0.0.1" not in row.body
    shown = (await client.get(f"{HOOKS}/{hook['id']}", headers=auth(owner))).json()
    assert "secret" not in shown
