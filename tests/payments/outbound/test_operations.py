"""Commands to the provider: done once, whatever breaks off, and by whichever process they are taken up again."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.payments.errors import OperationRunning, PaymentDeclined, ProviderRefused, ProviderUnreachable
from app.payments.models import ProviderOperation
from app.payments.providers.port import Declined, NotReached, OutcomeUnknown, ProviderError, Refused
from app.payments.services import operations, resolving
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome
from tests.payments.books.conftest import make_family

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """The process ends here."""


class Counterpart:
    """The other side of a command: what it has done by key, and where it goes wrong."""

    def __init__(self) -> None:
        self.name = f"counterpart-{uuid4().hex}"
        self.kind = f"test.{uuid4().hex}"
        self.done: dict[str, str] = {}
        self.calls: list[Command] = []
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.at_follow: list[BaseException] = []
        self.steps: list[str] = []
        self.gate: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def call(self, _: Any, command: Command) -> str:
        self.calls.append(command)
        self.arrived.set()
        if self.gate:
            await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        made = self.done.setdefault(command.operation.key, f"made_{len(self.done)}")
        if self.after:
            raise self.after.pop(0)
        return made

    async def find(self, kind: str, operation: Any, customer_id: str | None) -> str | None:
        self.steps.append(f"find {kind} {customer_id}")
        return self.done.get(operation.key)

    async def follow(self, _: Any, command: Command, provider_id: str | None) -> None:
        if self.at_follow:
            raise self.at_follow.pop(0)
        self.steps.append(f"follow {provider_id}")

    async def on_done(self, _: AsyncSession, command: Command, provider_id: str | None) -> None:
        self.steps.append(f"done {provider_id}")

    async def on_undo(self, _: AsyncSession, command: Command) -> None:
        self.steps.append("undo")

    async def on_finish(self, _: AsyncSession, command: Command, provider_id: str | None) -> None:
        self.steps.append("finish")

    def register(self, **changes: Any) -> None:
        parts = {"done": self.on_done, "undo": self.on_undo, "follow": self.follow, "finish": self.on_finish}
        HANDLERS[self.kind] = Handler(self.call, **{"find": "refund", **parts, **changes})


@pytest.fixture
def counterpart() -> Iterator[Counterpart]:
    counterpart = Counterpart()
    counterpart.register()
    yield counterpart
    del HANDLERS[counterpart.kind]


@pytest.fixture
async def family(runtime: Runtime) -> UUID:
    return (await make_family())[0]


async def execute(counterpart: Any, family: UUID, **changes: Any) -> Outcome:
    values = {"family_id": family, "kind": counterpart.kind, "subject": "thing", "request": {"amount_cents": 5}}
    return await operations.execute(counterpart, Order(**values | changes))


async def row_of(family: UUID) -> ProviderOperation:
    async with session_scope() as session:
        mine = select(ProviderOperation).where(ProviderOperation.family_id == family)
        return (await session.scalars(mine.order_by(ProviderOperation.id.desc()).limit(1))).one()


async def rows_of(family: UUID) -> int:
    async with session_scope() as session:
        mine = select(func.count()).where(ProviderOperation.family_id == family)
        return int(await session.scalar(mine) or 0)


async def change(family: UUID, **values: Any) -> None:
    async with session_scope() as session:
        mine = ProviderOperation.family_id == family
        await session.execute(update(ProviderOperation).where(mine).values(**values))


async def end_lease(family: UUID) -> None:
    await change(family, lease_until=func.now() - timedelta(seconds=1))


async def test_a_command_is_written_down_sent_and_settled(counterpart: Any, family: UUID):
    outcome = await execute(counterpart, family)

    row = await row_of(family)
    assert (row.id, row.state, row.provider_id) == (outcome.operation_id, "succeeded", "made_0")
    assert counterpart.calls[0].operation.key == f"lv:{row.id}"
    assert counterpart.steps == ["done made_0", "follow made_0", "finish"]
    assert row.followed_at


async def test_two_clicks_are_one_command(counterpart: Any, family: UUID):
    counterpart.gate = asyncio.Event()
    first = asyncio.create_task(execute(counterpart, family))
    await counterpart.arrived.wait()

    second = await execute(counterpart, family)
    counterpart.gate.set()

    assert (second.state, second.operation_id) == ("sent", (await first).operation_id)
    assert (len(counterpart.calls), await rows_of(family)) == (1, 1)


async def test_of_many_clicks_at_once_one_is_sent(counterpart: Any, family: UUID):
    counterpart.gate = asyncio.Event()
    clicks = [asyncio.create_task(execute(counterpart, family)) for _ in range(12)]
    done, waiting = await asyncio.wait(clicks, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 11:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    counterpart.gate.set()
    await asyncio.gather(*waiting)

    assert {(await each).state for each in done} == {"sent"}
    assert (len(counterpart.calls), await rows_of(family)) == (1, 1)


async def test_something_else_about_the_same_subject_has_to_wait(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")]
    first = await execute(counterpart, family)

    with pytest.raises(OperationRunning) as refused:
        await execute(counterpart, family, request={"amount_cents": 6})

    assert refused.value.extra == {"operation_id": str(first.operation_id)}


async def test_what_is_done_can_be_wanted_again(counterpart: Any, family: UUID):
    outcomes = [await execute(counterpart, family) for _ in range(2)]

    assert [outcome.provider_id for outcome in outcomes] == ["made_0", "made_1"]


async def test_the_same_cause_is_the_same_command_even_when_it_is_done(counterpart: Any, family: UUID):
    cause = uuid4()

    outcomes = [await execute(counterpart, family, cause=cause) for _ in range(2)]

    assert outcomes[0] == outcomes[1]
    assert len(counterpart.calls) == 1


async def test_the_same_cause_is_refused_for_the_same_reason(counterpart: Any, family: UUID):
    counterpart.before, cause = [Declined("insufficient_funds")], uuid4()

    for _ in range(2):
        with pytest.raises(PaymentDeclined) as declined:
            await execute(counterpart, family, cause=cause)
        assert declined.value.extra == {"reason": "insufficient_funds"}

    assert (len(counterpart.calls), counterpart.steps) == (1, ["undo"])


@pytest.mark.parametrize(("error", "raised"), [(Declined("stolen"), PaymentDeclined), (Refused("no"), ProviderRefused)])
async def test_a_refusal_gives_back_what_was_reserved(counterpart: Any, family: UUID, error, raised):
    counterpart.before = [error]

    with pytest.raises(raised):
        await execute(counterpart, family)

    assert (await row_of(family)).state == "failed"
    assert counterpart.steps == ["undo"]


async def test_what_was_not_reached_may_be_sent_again_as_the_same_command(counterpart: Any, family: UUID):
    counterpart.before = [NotReached("down")]
    with pytest.raises(ProviderUnreachable) as unreachable:
        await execute(counterpart, family)
    assert ((await row_of(family)).state, unreachable.value.headers) == ("created", {"Retry-After": "5"})

    outcome = await execute(counterpart, family)

    assert outcome.state == "succeeded"
    assert {command.id for command in counterpart.calls} == {outcome.operation_id}


async def test_what_was_not_reached_and_is_not_wanted_any_more_is_given_up(counterpart: Any, family: UUID):
    counterpart.before = [NotReached("down")]
    with pytest.raises(ProviderUnreachable):
        await execute(counterpart, family)
    assert await resolving.resolve_due(counterpart) == 0
    await end_lease(family)

    assert await resolving.resolve_due(counterpart) == 1

    row = await row_of(family)
    assert (row.state, row.error_code, counterpart.steps) == ("failed", "refused:not-reached", ["undo"])
    assert len(counterpart.calls) == 1


async def test_what_was_not_reached_makes_room_for_something_else(counterpart: Any, family: UUID):
    counterpart.before = [NotReached("down")]
    with pytest.raises(ProviderUnreachable):
        await execute(counterpart, family)

    outcome = await execute(counterpart, family, request={"amount_cents": 6})

    assert (outcome.state, counterpart.steps[0]) == ("succeeded", "undo")
    async with session_scope() as session:
        codes = select(ProviderOperation.error_code).where(ProviderOperation.family_id == family)
        assert set(await session.scalars(codes)) == {"refused:replaced", None}


async def test_what_nobody_waits_for_is_sent_until_it_arrives(counterpart: Any, family: UUID):
    counterpart.register(insists=True)
    counterpart.before = [NotReached("down"), NotReached("down")]
    with pytest.raises(ProviderUnreachable):
        await execute(counterpart, family)
    for _ in range(2):
        await end_lease(family)
        await resolving.resolve_due(counterpart)

    assert ((await row_of(family)).state, len(counterpart.calls)) == ("succeeded", 3)


@pytest.mark.parametrize("error", [OutcomeUnknown("timeout"), ProviderError("unexpected-answer")])
async def test_an_answer_that_did_not_come_is_asked_for_with_the_same_key(counterpart: Any, family: UUID, error):
    counterpart.after = [error]
    outcome = await execute(counterpart, family)
    assert (outcome.state, (await row_of(family)).state) == ("unknown", "unknown")
    await end_lease(family)

    assert await resolving.resolve_due(counterpart) == 1

    assert (await row_of(family)).provider_id == "made_0"
    assert counterpart.done == {f"lv:{outcome.operation_id}": "made_0"}


async def test_a_repetition_by_the_person_asks_for_the_answer_too(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")]
    first = await execute(counterpart, family)

    second = await execute(counterpart, family)

    assert (second.operation_id, second.state) == (first.operation_id, "succeeded")
    assert len(counterpart.done) == 1


async def test_when_the_key_is_forgotten_it_is_looked_up(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")]
    await execute(counterpart, family, request={"customer_id": "cus_1"})
    await change(family, first_sent_at=func.now() - timedelta(hours=24), lease_until=func.now() - timedelta(seconds=1))

    await resolving.resolve_due(counterpart)

    assert (await row_of(family)).provider_id == "made_0"
    assert counterpart.steps[0] == "find refund cus_1"
    assert len(counterpart.calls) == 1


async def test_what_never_arrived_has_failed_when_the_key_is_forgotten(counterpart: Any, family: UUID):
    counterpart.before = [OutcomeUnknown("timeout")]
    await execute(counterpart, family)
    await change(family, first_sent_at=func.now() - timedelta(hours=24), lease_until=func.now() - timedelta(seconds=1))

    await resolving.resolve_due(counterpart)

    row = await row_of(family)
    assert (row.state, row.error_code) == ("failed", "refused:never-arrived")
    assert (len(counterpart.calls), counterpart.steps[-1]) == (1, "undo")


async def test_not_reached_does_not_make_an_unknown_outcome_known(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")]
    await execute(counterpart, family)
    counterpart.before = [NotReached("down")]

    with pytest.raises(ProviderUnreachable):
        await execute(counterpart, family)

    assert (await row_of(family)).state == "unknown"


@pytest.mark.parametrize("where", ["before", "after"])
async def test_who_is_killed_around_the_call_is_taken_over(counterpart: Any, family: UUID, where: str):
    setattr(counterpart, where, [Killed()])
    with pytest.raises(Killed):
        await execute(counterpart, family)
    assert ((await row_of(family)).state, await resolving.resolve_due(counterpart)) == ("sent", 0)
    await end_lease(family)

    assert await resolving.resolve_due(counterpart) == 1

    assert ((await row_of(family)).state, len(counterpart.done)) == ("succeeded", 1)
    assert counterpart.steps == ["done made_0", "follow made_0", "finish"]


async def test_who_is_killed_after_the_outcome_is_written_is_taken_over(counterpart: Any, family: UUID):
    counterpart.at_follow = [Killed()]
    with pytest.raises(Killed):
        await execute(counterpart, family)
    await end_lease(family)

    assert await resolving.resolve_due(counterpart) == 1

    row = await row_of(family)
    assert (row.state, row.provider_id, len(counterpart.calls)) == ("succeeded", "made_0", 1)
    assert row.followed_at
    assert counterpart.steps == ["done made_0", "follow made_0", "finish"]


async def test_what_could_not_be_fetched_is_fetched_later_and_the_command_has_succeeded(counterpart: Any, family: UUID):
    counterpart.at_follow = [NotReached("down")]
    assert (await execute(counterpart, family)).state == "succeeded"
    assert (await row_of(family)).followed_at is None
    await end_lease(family)

    await resolving.resolve_due(counterpart)

    assert (await row_of(family)).followed_at
    assert counterpart.steps.count("finish") == 1


async def test_who_was_taken_for_dead_settles_nothing_any_more(counterpart: Any, family: UUID):
    counterpart.gate = asyncio.Event()
    slow = asyncio.create_task(execute(counterpart, family))
    await counterpart.arrived.wait()
    await end_lease(family)
    counterpart.arrived.clear()
    quick = asyncio.create_task(execute(counterpart, family))
    await counterpart.arrived.wait()
    counterpart.gate.set()

    outcomes = await asyncio.gather(slow, quick)

    assert {outcome.provider_id for outcome in outcomes} == {"made_0"}
    assert counterpart.steps.count("done made_0") == 1
    assert counterpart.steps.count("finish") == 1


async def test_resolvers_at_once_take_each_command_once(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")] * 8
    for number in range(8):
        await execute(counterpart, family, subject=f"thing {number}")
    await end_lease(family)

    counts = await asyncio.gather(*(resolving.resolve_due(counterpart, limit=3) for _ in range(4)))

    assert (sum(counts), len(counterpart.calls), len(counterpart.done)) == (8, 16, 8)


async def test_a_fault_of_ours_in_one_command_does_not_hold_up_the_others(counterpart: Any, family: UUID):
    counterpart.after = [OutcomeUnknown("timeout")] * 2
    for number in range(2):
        await execute(counterpart, family, subject=f"thing {number}")
    await end_lease(family)
    counterpart.before = [KeyError("amount")]

    assert await resolving.resolve_due(counterpart) == 2

    async with session_scope() as session:
        states = select(ProviderOperation.state).where(ProviderOperation.family_id == family)
        assert sorted(await session.scalars(states)) == ["succeeded", "unknown"]


async def test_preparing_belongs_to_the_same_transaction_and_happens_once(counterpart: Any, family: UUID):
    prepared: list[UUID] = []

    async def prepare(_: AsyncSession, operation_id: UUID) -> None:
        prepared.append(operation_id)
        if len(prepared) == 1:
            raise PaymentDeclined

    with pytest.raises(PaymentDeclined):
        await execute(counterpart, family, prepare=prepare)
    assert await rows_of(family) == 0
    counterpart.after = [OutcomeUnknown("timeout")]
    await execute(counterpart, family, prepare=prepare)
    outcome = await execute(counterpart, family, prepare=prepare)

    assert prepared[1:] == [outcome.operation_id]


async def test_what_a_person_wrote_is_sealed_and_forgotten_when_the_outcome_is_known(
    counterpart: Any, runtime: Runtime
):
    family, payer = await make_family()
    counterpart.after = [OutcomeUnknown("timeout")]
    await execute(counterpart, family, owner_id=payer.id, secret={"note": "quartzheron"})
    row = await row_of(family)
    assert row.body
    assert b"quartzheron" not in row.body + str(row.request).encode()
    current().keys.forget(payer.id)
    await end_lease(family)

    await resolving.resolve_due(counterpart)

    assert [dict(command.secret) for command in counterpart.calls] == [{"note": "quartzheron"}] * 2
    row = await row_of(family)
    assert (row.state, row.body, row.owner_id, row.key_id) == ("succeeded", None, None, None)


async def test_an_exception_that_nobody_expects_leaves_the_command_to_be_resolved(counterpart: Any, family: UUID):
    counterpart.after = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await execute(counterpart, family)
    await end_lease(family)

    await resolving.resolve_due(counterpart)

    assert ((await row_of(family)).state, len(counterpart.done)) == ("succeeded", 1)
