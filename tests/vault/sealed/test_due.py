"""Due days of sealed vaults: people are told on the day, once, and the server knows of no day before it comes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.sealed.errors import Conflict
from app.vault.tasks import nudge_sealed
from tests.factories import auth
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import VAULTS, Person, in_thread, let_in, make_person, rows

FIRST = date(2031, 5, 1)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


async def test_members_who_may_write_are_told_once_that_something_is_due(people: People):
    client = people.client
    owner = await make_person(client, "Ida")
    vault = await in_thread(owner.sealed.create_vault)
    await let_in(client, owner, people.bob, vault, "viewer")
    window = vault.due_tokens(FIRST, 30)
    [passport] = vault.due_tokens(FIRST + timedelta(days=9), 1)
    [much_later] = vault.due_tokens(date(2040, 1, 1), 1)

    await in_thread(owner.sealed.transport.leave_due, vault.id, 1, FIRST, window, [passport, much_later])

    left = (await client.get(f"{VAULTS}/{vault.id}/due", headers=auth(people.bob.user))).json()
    assert (left["last_on"], left["tokens"], left["epoch"]) == ("2031-05-30", 2, 1)
    assert await told(people, owner) == []
    await nudge_sealed(noon(FIRST + timedelta(days=8)))
    assert await told(people, owner) == []
    for _ in range(2):
        await nudge_sealed(noon(FIRST + timedelta(days=11)))  # two days late
    assert await told(people, owner) == ["Something in a sealed vault is due"]
    await nudge_sealed(noon(date(2041, 1, 1)))
    assert len(await told(people, owner)) == 1
    assert await rows("SELECT next_on FROM vault_sealed_dues WHERE vault_id = :id", id=vault.id) == [(None,)]
    sent = await rows("SELECT user_id FROM notifications_messages WHERE vault_id = :id", id=vault.id)
    assert sent == [(owner.id,)], "a viewer is not told"


async def told(people: People, person: Person) -> list[str]:
    headers = auth(person.user)
    shown = (await people.client.get("/v1/notifications", headers=headers)).json()["items"]
    return [each["title"] for each in shown if "sealed" in each["title"]]


async def test_tokens_of_an_epoch_that_has_ended_are_not_taken(people: People):
    alice = people.alice
    vault = await in_thread(alice.sealed.create_vault)
    window = vault.due_tokens(FIRST, 3)
    await in_thread(vault.renew_key)

    with pytest.raises(Conflict):
        await in_thread(alice.sealed.transport.leave_due, vault.id, 1, FIRST, window, window)
    assert vault.due_tokens(FIRST, 3) != window
