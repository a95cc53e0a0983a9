"""Sealed vaults made and read."""

from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.session import SYSTEM, Actor
from app.vault.models import vaults
from app.vault.policy import SEALED
from app.vault.schemas.vaults import VaultCreate
from app.vault.sealed import checking
from app.vault.sealed.errors import SealedEpochNotFound, SealedIdTaken
from app.vault.sealed.models import epochs, heads, lists, wraps
from app.vault.sealed.schemas import SealedEpochRead, SealedLinkRead, SealedVaultCreate, SealedVaultRead
from app.vault.sealed.service.access import head_of, require_sealed
from app.vault.sealed.service.accounts import own_state
from app.vault.service.vaults import add_vault

UNNAMED = "sealed"  # a vault is made with a name; that of a sealed one is not kept


async def create_vault(session: AsyncSession, principal: Principal, data: SealedVaultCreate) -> SealedVaultRead:
    """Keep a vault that a client has made. Raises `SealedAccountNeeded`, `SealedIdTaken`, `LimitReached`, and what
    `checking` raises. Emits `vault.created`.
    """
    state = await own_state(session, principal.user_id)
    first = checking.first_list(data.vault_id, data.members, state.identity)
    checking.check_wraps(data.wraps, first.members, [first])
    async with acting_for(session, SYSTEM):  # somebody else's vault may have the id
        if await session.scalar(select(vaults.c.id).where(vaults.c.id == data.vault_id)) is not None:
            raise SealedIdTaken
    about = VaultCreate(name=UNNAMED, kind=data.kind, tier=SEALED)
    await add_vault(session, principal, about, data.vault_id)
    vault = {"vault_id": data.vault_id}
    async with acting_for(session, Actor.vault(data.vault_id)):
        head = {"counter": 1, "epoch": 1, "wanted": False, "clock": data.clock, "items": 0, "size": 0}
        await session.execute(insert(heads).values(**vault, **head))
        await session.execute(insert(lists).values(**vault, counter=1, envelope=data.members))
        mine = {"account_id": principal.user_id, "epoch": 1, "envelope": data.wraps[principal.user_id]}
        await session.execute(insert(wraps).values(**vault, **mine))
    await audit.record(session, principal, data.vault_id, "vault.sealed_epoch_begun", epoch=1)
    return await read_vault(session, principal, data.vault_id)


async def read_vault(session: AsyncSession, principal: Principal, vault_id: UUID, after: int = 0) -> SealedVaultRead:
    """What a member needs to open a vault, with the lists after one. Raises `VaultNotFound`, `VaultNotSealed`."""
    role = await require_sealed(session, principal, vault_id, "read")
    head = await head_of(session, vault_id)
    newer = select(lists.c.envelope).where(lists.c.vault_id == vault_id, lists.c.counter > after)
    signed = (await session.scalars(newer.order_by(lists.c.counter))).all()
    mine = wraps.c.vault_id == vault_id, wraps.c.account_id == principal.user_id, wraps.c.epoch == head["epoch"]
    needed = epochs.c.vault_id == vault_id, epochs.c.link.is_not(None)
    links = select(epochs.c.epoch, epochs.c.link).where(*needed).order_by(epochs.c.epoch)
    return SealedVaultRead(
        vault_id=vault_id,
        role=role,
        counter=head["counter"],
        epoch=head["epoch"],
        epoch_wanted=head["wanted"],
        clock=head["clock"],
        items=head["items"],
        size=head["size"],
        members=signed,
        wrap=await session.scalar(select(wraps.c.envelope).where(*mine)),
        links=[SealedLinkRead.model_validate(row) for row in await session.execute(links)],
    )


async def read_epoch(session: AsyncSession, principal: Principal, vault_id: UUID, epoch: int) -> SealedEpochRead:
    """How an epoch ended. Raises `VaultNotFound`, `VaultNotSealed`, `SealedEpochNotFound`."""
    await require_sealed(session, principal, vault_id, "read")
    same = epochs.c.vault_id == vault_id, epochs.c.epoch == epoch
    row = (await session.execute(select(epochs.c.epoch, epochs.c.closing).where(*same))).one_or_none()
    if row is None:
        raise SealedEpochNotFound
    return SealedEpochRead.model_validate(row)
