"""Signed lists of members: whoever a list lets in is let in, whoever it leaves out is out, in the same transaction."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.session import SYSTEM, Actor
from app.sealed.members import MANAGERS, Member, MemberList, Role
from app.vault.errors import OwnerStays, StaleRevision
from app.vault.models import vaults
from app.vault.sealed import checking
from app.vault.sealed.errors import EpochUnfinished, EpochWanted, NotWaiting, SealedInvalid
from app.vault.sealed.legacy_keys import legacy_identity
from app.vault.sealed.models import epochs, lists, sealed_items, wraps
from app.vault.sealed.schemas import SealedEpochEnd, SealedListAdd, SealedVaultRead
from app.vault.sealed.service.access import head_of, move_head, require_clock, require_sealed
from app.vault.sealed.service.accounts import find_state
from app.vault.sealed.service.people import give_role, let_in, put_out, roles_of
from app.vault.sealed.service.vaults import read_vault


async def add_list(session: AsyncSession, principal: Principal, vault_id: UUID, data: SealedListAdd) -> SealedVaultRead:
    """Put the next list into force, with all that it needs, or change nothing.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `StaleRevision`, `OwnerStays`, `NotWaiting`, `EpochWanted`,
    `WrapsIncomplete`, and what `checking` raises. Emits `vault.member_added`, `…_changed`, `…_removed`.
    """
    await require_sealed(session, principal, vault_id, "read")
    async with acting_for(session, Actor.vault(vault_id)):
        head = await head_of(session, vault_id, lock=True)
        before = await newest_list(session, vault_id, head["counter"])
        if checking.kept_list(data.members).counter <= head["counter"]:
            raise StaleRevision
        after = checking.next_list(before, data.members, principal.user_id)
        checking.require(after.has(principal.user_id))  # who signs a list stays on it; one leaves at …/leave
        ends = _end_of(before, after, data)
        _require_same_owner(before, after)
        papers = await _papers(session, after)
        await _require_everybody_counts(session, head, after, papers)
        if ends:
            require_clock(head, ends.clock_before)
            await _end_epoch(session, head, after, ends)
        await _put_wraps(session, before, after, data)
        await _apply(session, principal, before, after, papers)
        grows = len(data.members) + (len(ends.closing) if ends else 0)
        counted = {"counter": after.counter, "epoch": after.epoch, "wanted": head["wanted"] and ends is None}
        await move_head(session, head, clock=data.clock, grows=grows, **counted)
        values = {"vault_id": vault_id, "counter": after.counter, "envelope": data.members}
        await session.execute(insert(lists).values(values))
        same = vaults.c.id == vault_id
        await session.execute(update(vaults).where(same).values(revision=vaults.c.revision + 1))
    return await read_vault(session, principal, vault_id, before.counter)


async def finish_epoch(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    """Forget the keys of epochs that have ended, once every item key has moved to the present one.

    Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, `EpochUnfinished`.
    """
    await require_sealed(session, principal, vault_id, "write")
    async with acting_for(session, Actor.vault(vault_id)):
        head = await head_of(session, vault_id, lock=True)
        older = sealed_items.c.vault_id == vault_id, sealed_items.c.epoch < head["epoch"]
        if await session.scalar(select(sealed_items.c.id).where(*older).limit(1)) is not None:
            raise EpochUnfinished
        ended = epochs.c.vault_id == vault_id, epochs.c.link.is_not(None)
        forgotten = update(epochs).where(*ended).values(link=None).returning(epochs.c.epoch)
        if (await session.scalars(forgotten)).all():
            await audit.record(session, principal, vault_id, "vault.sealed_epoch_finished", epoch=head["epoch"])


async def newest_list(session: AsyncSession, vault_id: UUID, counter: int) -> MemberList:
    """The list that is in force."""
    one = select(lists.c.envelope).where(lists.c.vault_id == vault_id, lists.c.counter == counter)
    return checking.kept_list(await session.scalar(one) or b"")


def _end_of(before: MemberList, after: MemberList, data: SealedListAdd) -> SealedEpochEnd | None:
    if (after.epoch > before.epoch) is not (data.ends is not None):
        raise SealedInvalid("A new epoch comes with the end of the one before, and nothing else does")
    if data.ends and before.member(after.signer).role not in MANAGERS:
        raise SealedInvalid
    return data.ends


def _require_same_owner(before: MemberList, after: MemberList) -> None:
    """A vault has one owner, who stays: their plan pays for it, and nobody is made to pay unasked."""
    owners = [[each.identity.account for each in one.members if each.role is Role.OWNER] for one in (before, after)]
    if owners[0] != owners[1]:
        raise OwnerStays("A sealed vault keeps its owner")


async def _require_everybody_counts(
    session: AsyncSession, head: Any, after: MemberList, papers: Collection[UUID]
) -> None:
    """Nobody stays on the list who has left, and no list but that of a new epoch comes after somebody left."""
    if not head["wanted"]:
        return
    present = {*await roles_of(session, head["vault_id"]), *papers}
    ghosts = any(each.identity.account not in present for each in after.members)
    if ghosts or after.epoch == head["epoch"]:
        raise EpochWanted


async def _papers(session: AsyncSession, after: MemberList) -> set[UUID]:
    """Those on the list who are nobody's account but the owner's legacy keys; these read, and do nothing else."""
    [owner] = (each.identity.account for each in after.members if each.role is Role.OWNER)
    found = set[UUID]()
    async with acting_for(session, SYSTEM):  # an owner's legacy keys are the owner's own
        for each in after.members:
            keys = await legacy_identity(session, owner, each.identity.account)
            if keys is not None:
                checking.require(keys == each.identity and each.role is Role.VIEWER)
                found.add(keys.account)
    return found


async def _end_epoch(session: AsyncSession, head: Any, after: MemberList, ends: SealedEpochEnd) -> None:
    vault_id = head["vault_id"]
    checking.check_link(ends.link, after.epoch)
    columns = sealed_items.c.id, sealed_items.c.revision, sealed_items.c.body_digest
    rows = await session.execute(select(*columns).where(sealed_items.c.vault_id == vault_id))
    checking.check_closing(ends.closing, after.closing, {row[0]: (row[1], row[2]) for row in rows})
    values = {"vault_id": vault_id, "epoch": head["epoch"], "closing": ends.closing, "link": ends.link}
    await session.execute(insert(epochs).values(values))
    await session.execute(delete(wraps).where(wraps.c.vault_id == vault_id))


async def _put_wraps(session: AsyncSession, before: MemberList, after: MemberList, data: SealedListAdd) -> None:
    """Everybody gets a key in a new epoch; otherwise who is new, and who has other keys than before."""
    in_need = after.members if after.epoch > before.epoch else new_keys(before, after)
    checking.check_wraps(data.wraps, in_need, [before, after])
    for account_id, envelope in data.wraps.items():
        values = {"vault_id": after.vault, "account_id": account_id, "epoch": after.epoch, "envelope": envelope}
        put = upsert(wraps).values(values)
        newer = {"epoch": after.epoch, "envelope": envelope}
        await session.execute(put.on_conflict_do_update(index_elements=["vault_id", "account_id"], set_=newer))


def new_keys(before: MemberList, after: MemberList) -> Sequence[Member]:
    """Those on a list whose keys were not on the one before."""
    known = {each.identity for each in before.members}
    return [each for each in after.members if each.identity not in known]


async def _apply(
    session: AsyncSession, principal: Principal, before: MemberList, after: MemberList, papers: Collection[UUID]
) -> None:
    """Make memberships what the list says, and see that the keys on it are those of these people."""
    vault_id, fresh = after.vault, new_keys(before, after)
    await _require_own_keys(session, [each for each in fresh if each.identity.account not in papers])
    for each in after.members:
        account_id, role = each.identity.account, str(each.role)
        if account_id in papers:
            if not before.has(account_id):
                await audit.record(session, principal, vault_id, "vault.legacy_keys_let_in", account_id)
        elif not before.has(account_id):
            await let_in(session, principal, vault_id, account_id, role)
        elif before.member(account_id).role is not each.role:
            await give_role(session, principal, vault_id, account_id, role, str(before.member(account_id).role))
    for gone in before.members:
        if not after.has(gone.identity.account):
            await put_out(session, principal, vault_id, gone.identity.account)
    if after.epoch > before.epoch:
        await audit.record(session, principal, vault_id, "vault.sealed_epoch_begun", epoch=after.epoch)
    for each in fresh:
        if before.has(each.identity.account):
            await audit.record(session, principal, vault_id, "vault.sealed_keys_changed", each.identity.account)


async def _require_own_keys(session: AsyncSession, fresh: Sequence[Member]) -> None:
    """See that keys which are new on the list are the present ones of their accounts."""
    async with acting_for(session, SYSTEM):  # other people's accounts
        for each in fresh:
            state = await find_state(session, each.identity.account)
            if state is None:
                raise NotWaiting
            checking.require(state.identity == each.identity)
