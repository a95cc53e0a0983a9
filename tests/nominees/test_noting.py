"""What is done about legacy stands in the log of its owner, and in that of the vault where somebody reads it."""

from uuid import UUID

import pytest

from tests.nominees.conftest import Legacy, rows_of
from tests.nominees.test_visits import released_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
ENTRIES = (
    "SELECT action, actor_kind, actor_id FROM audit_entries WHERE chain_id = :id AND action LIKE 'nominees.%' "
    "ORDER BY sequence"
)


async def logged(chain_id: UUID) -> list[tuple[str, str]]:
    rows = await rows_of(ENTRIES, id=chain_id)
    return [(row.action.removeprefix("nominees."), row.actor_kind) for row in rows]


async def test_the_owner_s_log_tells_the_whole_story_and_who_did_what(legacy: Legacy):
    grace, case_id = await released_to(legacy)
    path = f"/visit/released/vaults/{legacy.vault.id}/items/{legacy.item.id}"
    await legacy.get(path, by=grace)
    await legacy.post(f"/cases/{case_id}/stop")

    story = await logged(legacy.owner.id)

    assert story[:6] == [
        ("nominee_named", "person"),
        ("invitation_accepted", "nominee"),
        ("plan_created", "person"),
        ("plan_armed", "person"),
        ("nominee_signed_in", "nominee"),
        ("case_suspected", "nominee"),
    ]
    assert {("case_reminded", "system"), ("case_released", "system"), ("case_stage_released", "system")} <= set(story)
    assert story[-3:] == [("nominee_signed_in", "nominee"), ("item_read", "nominee"), ("case_stopped", "person")]
    assert await logged(legacy.vault.id) == [("item_read", "nominee")]
    [read] = await rows_of(ENTRIES, id=legacy.vault.id)
    assert str(read.actor_id) == grace.id


async def test_a_release_is_told_in_the_inbox_once_for_each_step_whatever_letters_do(legacy: Legacy):
    await released_to(legacy)

    answer = await legacy.client.get("/v1/notifications", params={"limit": 100}, headers=legacy.headers)
    told = [each for each in answer.json()["items"] if each["kind"] == "legacy"]

    assert told[0]["title"] == "What you left to others is open to them"
    assert {each["title"] for each in told[1:]} == {"A release of your plan goes on"}
    steps = await rows_of("SELECT cause FROM notifications_messages WHERE user_id = :id", id=legacy.owner.id)
    assert len({row.cause for row in steps}) == len(steps) == len(told) > 3
