"""Commands to the provider: written down, sent outside any transaction, settled. One path for request and recovery.

created → sent → succeeded | failed | unknown. A command that was sent and not answered is asked about with the same key
while the provider remembers keys, and looked up after; never sent with a new one. Of one kind and subject one command
is under way at a time, so that two clicks are one.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, utc_now
from app.core.logging import get_log
from app.db.session import Actor, session_scope
from app.payments.errors import (
    OperationRunning,
    PaymentDeclined,
    ProviderRefused,
    ProviderUnreachable,
)
from app.payments.models import Family, ProviderOperation
from app.payments.providers.port import Declined, Missing, NotReached, Provider, ProviderError, Refused
from app.payments.services.commands import HANDLERS, Command, Handler, Order, Outcome, State
from app.payments.services.secrets import opened_secret, sealed_secret

UNSETTLED: Final = ("created", "sent", "unknown")
LEASE: Final = timedelta(seconds=60)
KEY_LIFE: Final = timedelta(hours=23)
"""Providers keep keys for 24 hours (https://docs.stripe.com/api/idempotent_requests)."""
ABANDONED_AFTER: Final = timedelta(minutes=15)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE_DOUBLINGS: Final = 9
RETRY_AFTER: Final = {"Retry-After": "5"}
NEVER_ARRIVED: Final = "never-arrived"
REPLACED: Final = "replaced"

log = get_log(__name__)


async def execute(provider: Provider, order: Order) -> Outcome:
    """Do a command once; a repetition (same cause, or while one is under way) is the same command.

    Raises `PaymentDeclined`, `ProviderRefused`, `ProviderUnreachable` (nothing was done), `OperationRunning` (another
    request about the same subject is under way), and what `prepare` raises.
    """
    async with session_scope() as session:
        secret = await sealed_secret(session, order.owner_id, row_id := new_id(), order.secret)
    async with session_scope(Actor.family(order.family_id)) as session:
        begun = await _begin(session, provider, order, {"id": row_id, **secret})
    return begun if isinstance(begun, Outcome) else await run(provider, begun)


async def resume(provider: Provider, family_id: UUID, kind: str, cause: UUID) -> Outcome | None:
    """The command of this kind that a request has caused before, gone on with if it is not settled; None if none.

    Raises as `execute`.
    """
    async with session_scope(Actor.family(family_id)) as session:
        mine = ProviderOperation.family_id == family_id, ProviderOperation.kind == kind
        caused = select(ProviderOperation).where(*mine, ProviderOperation.cause == cause)
        known = (await session.scalars(caused.limit(1))).one_or_none()
        begun = await _take_up(session, known) if known else None
    return await run(provider, begun) if isinstance(begun, Command) else begun


async def _begin(
    session: AsyncSession, provider: Provider, order: Order, values: Mapping[str, Any]
) -> Command | Outcome:
    await session.execute(select(Family.id).where(Family.id == order.family_id).with_for_update(key_share=True))
    known = await _known(session, order)
    if known is not None and known.state == "created" and dict(known.request) != dict(order.request):
        await _replace(session, known)
        known = None
    if known is not None:
        return await _join(session, known, order)
    attempts = select(func.coalesce(func.max(ProviderOperation.attempt), 0) + 1).where(*_about(order))
    row = insert(ProviderOperation).values(
        **values,
        family_id=order.family_id,
        kind=order.kind,
        subject=order.subject,
        attempt=attempts.scalar_subquery(),
        provider=provider.name,
        request=dict(order.request),
        cause=order.cause,
        state="sent",
        tries=1,
        first_sent_at=func.now(),
        lease_until=func.now() + LEASE,
    )
    await session.execute(row)
    if order.prepare:
        await order.prepare(session, values["id"])
    what = order.kind, order.subject, order.request
    return Command(values["id"], order.family_id, *what, 1, False, utc_now(), order.secret)


async def _replace(session: AsyncSession, known: ProviderOperation) -> None:
    """Give up what certainly was not done, for something else about the same subject."""
    values = {
        "state": "failed",
        "error_code": f"refused:{REPLACED}",
        "settled_at": func.now(),
        "followed_at": func.now(),
    }
    mine = update(ProviderOperation).where(ProviderOperation.id == known.id)
    undo = HANDLERS[known.kind].undo
    if undo:
        await undo(session, await _command(session, known, known.state))
    await session.execute(mine.values(**values, body=None, owner_id=None))


def _about(order: Order) -> tuple[Any, ...]:
    return ProviderOperation.kind == order.kind, ProviderOperation.subject == order.subject


async def _known(session: AsyncSession, order: Order) -> ProviderOperation | None:
    """The command of this cause, otherwise one that is under way."""
    mine = select(ProviderOperation).where(*_about(order))
    if order.cause:
        caused = (await session.scalars(mine.where(ProviderOperation.cause == order.cause))).one_or_none()
        if caused is not None:
            return caused
    open_ones = mine.where(ProviderOperation.state.in_(UNSETTLED)).order_by(ProviderOperation.attempt.desc()).limit(1)
    return (await session.scalars(open_ones)).one_or_none()


async def _join(session: AsyncSession, known: ProviderOperation, order: Order) -> Command | Outcome:
    if known.state in UNSETTLED and dict(known.request) != dict(order.request):
        raise OperationRunning(operation_id=str(known.id), headers=RETRY_AFTER)
    return await _take_up(session, known)


async def _take_up(session: AsyncSession, known: ProviderOperation) -> Command | Outcome:
    await session.refresh(known, with_for_update=True)  # another request may have settled it since it was found
    if known.state == "succeeded":
        return Outcome(known.id, "succeeded", known.provider_id)
    if known.state == "failed":
        raise _failure(known.error_code or "")
    free = (ProviderOperation.state != "sent") | (ProviderOperation.lease_until <= func.now())
    claimed = await claim(session, select(ProviderOperation.id).where(ProviderOperation.id == known.id, free))
    return claimed[0] if claimed else Outcome(known.id, "sent")


async def claim(session: AsyncSession, free: Select[Any]) -> list[Command]:
    """Take the leases of commands; the state that they were in says whether they may have arrived."""
    before = select(ProviderOperation.id, ProviderOperation.state).where(ProviderOperation.id.in_(free)).subquery()
    taken = (
        update(ProviderOperation)
        .where(ProviderOperation.id == before.c.id)
        .values(
            state=case((before.c.state == "succeeded", "succeeded"), else_="sent"),
            tries=ProviderOperation.tries + 1,
            lease_until=func.now() + LEASE,
            first_sent_at=func.coalesce(ProviderOperation.first_sent_at, func.now()),
        )
        .returning(ProviderOperation, before.c.state.label("before"))
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return [await _command(session, row, before) for row, before in (await session.execute(taken)).all()]


async def _command(session: AsyncSession, row: ProviderOperation, before: str) -> Command:
    assert row.first_sent_at  # noqa: S101
    secret = await opened_secret(session, row)
    what = row.kind, row.subject, row.request
    return Command(row.id, row.family_id, *what, row.tries, before != "created", row.first_sent_at, secret)


async def run(provider: Provider, command: Command) -> Outcome:
    """Send a command that this process holds, and settle it. Raises as `execute`."""
    handler = HANDLERS[command.kind]
    try:
        provider_id = await _send(provider, handler, command)
    except (Declined, Refused, Missing) as error:
        raise await fail(command, handler, _code(error)) from None
    except NotReached:
        await put_back(command, "unknown" if command.is_uncertain else "created", insists=handler.insists)
        raise ProviderUnreachable(headers=RETRY_AFTER) from None
    except ProviderError as error:  # no answer, or one that can't be read
        log.warning("payment command has no outcome", operation_id=str(command.id), error=error.code)
        await put_back(command, "unknown", insists=True)
        return Outcome(command.id, "unknown")
    await _succeed(command, handler, provider_id)
    await follow(provider, command, provider_id)
    return Outcome(command.id, "succeeded", provider_id)


async def _send(provider: Provider, handler: Handler, command: Command) -> str | None:
    is_forgotten = command.is_uncertain and utc_now() - command.first_sent_at > KEY_LIFE
    if not is_forgotten or not (handler.find or handler.look):
        return await handler.call(provider, command)
    if handler.look:
        found = await handler.look(provider, command)
    elif handler.find:
        found = await provider.find(handler.find, command.operation, command.request.get("customer_id"))
    if found is None:
        raise Refused(NEVER_ARRIVED)
    return found


async def _succeed(command: Command, handler: Handler, provider_id: str | None) -> None:
    values = {"state": "succeeded", "provider_id": provider_id, "settled_at": func.now()}
    async with session_scope(Actor.family(command.family_id)) as session:
        if await _settle(session, command, values) and handler.done:
            await handler.done(session, command, provider_id)


async def fail(command: Command, handler: Handler, code: str) -> Exception:
    """Record that nothing was done, and give back what was reserved; the error to raise."""
    values = {"state": "failed", "error_code": code, "settled_at": func.now(), "followed_at": func.now()}
    async with session_scope(Actor.family(command.family_id)) as session:
        if await _settle(session, command, values) and handler.undo:
            await handler.undo(session, command)
    return _failure(code)


async def put_back(command: Command, state: State, *, insists: bool) -> None:
    """Give up the lease of a command that is not settled; it is looked at again after a pause."""
    pause = FIRST_PAUSE * 2 ** min(command.tries - 1, LONGEST_PAUSE_DOUBLINGS) if insists else ABANDONED_AFTER
    async with session_scope(Actor.family(command.family_id)) as session:
        values = {"state": state, "lease_until": func.now() + pause}
        await session.execute(_mine(command).values(**values))


def _mine(command: Command) -> Any:
    held = ProviderOperation.id == command.id, ProviderOperation.tries == command.tries
    return update(ProviderOperation).where(*held, ProviderOperation.state == "sent")


async def _settle(session: AsyncSession, command: Command, values: Mapping[str, Any]) -> bool:
    """Write the outcome and forget what a person wrote; False if somebody else holds the command by now."""
    settled = _mine(command).values(**values, body=None, owner_id=None, lease_until=func.now() + LEASE)
    return await session.scalar(settled.returning(ProviderOperation.id)) is not None


async def follow(provider: Provider, command: Command, provider_id: str | None) -> None:
    """Fetch what a command has changed, then note that this is done; otherwise it is done later."""
    handler = HANDLERS[command.kind]
    try:
        if handler.follow:
            await handler.follow(provider, command, provider_id)
    except ProviderError as error:
        log.warning("payment command not followed", operation_id=str(command.id), error=error.code)
        return
    async with session_scope(Actor.family(command.family_id)) as session:
        mine = ProviderOperation.id == command.id, ProviderOperation.followed_at.is_(None)
        noted = update(ProviderOperation).where(*mine).values(followed_at=func.now()).returning(ProviderOperation.id)
        if await session.scalar(noted) is not None and handler.finish:
            await handler.finish(session, command, provider_id)


def _code(error: ProviderError) -> str:
    return f"{type(error).__name__.lower()}:{error.code}"


def _failure(error_code: str) -> Exception:
    kind, _, reason = error_code.partition(":")
    return PaymentDeclined(reason=reason) if kind == "declined" else ProviderRefused(reason=reason)
