"""Front ends that hang up: what was asked for goes on, nothing waits for them, and what nobody wanted kept is swept."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.agents import conversations, events, housekeeping
from app.agents.catalogue import ASSISTANT
from app.core.clock import utc_now
from app.core.config import Settings
from app.db.session import session_scope
from tests.agents.core.model import Model, Says
from tests.agents.core.people import RUNS, Home, make_home, run_agent
from tests.agents.core.test_approvals import rested
from tests.agents.faces.test_fronts import AG_UI, VERCEL, ag_ui_body, user, vercel
from tests.factories import principal_of
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", [VERCEL, AG_UI])
async def test_a_run_goes_on_when_its_front_end_hangs_up(
    client: httpx.AsyncClient, url: str, home: Home, model: Model, path: str
):
    model.says(Says("The first answer.", delay=1.0), "The second answer.")
    body: dict[str, Any] = {"id": "chat", "messages": [user("Hello")]}
    if path == AG_UI:
        body = ag_ui_body("chat", {"id": "1", "role": "user", "content": "Hello"})
    async with httpx.AsyncClient() as front, front.stream("POST", url + path, json=body, headers=home.headers) as sent:
        assert sent.status_code == 200
        await anext(sent.aiter_lines())

    (run,) = (await client.get(RUNS, headers=home.headers)).json()["items"]
    run = await rested(client, home, run)
    assert (run["state"], run["output"]) == ("succeeded", "The first answer.")
    assert UUID(run["id"]) not in events._wakers
    if path == VERCEL:
        again = await vercel(client, home, "chat", user("And now?"))
        assert "The second answer." in again.text
        assert "The first answer." in model.prompt


async def test_what_nobody_wanted_kept_is_swept_when_its_process_died(client: httpx.AsyncClient, settings: Settings):
    home = await make_home(settings)
    principal = principal_of(home.owner, scopes="vault:read agents:run")
    kept = await run_agent(client, home, "Hello")
    async with session_scope(principal.actor) as session:
        unkept = await conversations.create(session, principal, ASSISTANT.id, "Hello", kept=False)
        empty = await conversations.create(session, principal, ASSISTANT.id, "Hello", thread=uuid4().bytes)
    mine = "SELECT id FROM agent_conversations WHERE user_id = :user"

    async def left() -> set[str]:
        return {str(row.id) for row in await rows_of(mine, user=home.owner.id)}

    await housekeeping.forget_unkept(utc_now())
    assert str(unkept) in await left()
    await housekeeping.forget_unkept(utc_now() + timedelta(hours=1))
    await housekeeping.forget_unkept(utc_now() + timedelta(hours=1))

    assert await left() == {kept["conversation_id"], str(empty)}
