"""What a plan gives: checked against what its owner owns, and turned into rows and into a scope for reading."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.nominees.schemas.plans import AnyGift, DocumentGift, ItemGift, Stage, TypeGift, VaultGift
from app.nominees.service.people import require_nominees
from app.vault import service as vaults


async def gift_rows(
    session: AsyncSession, principal: Principal, plan_id: UUID, stages: Sequence[Stage]
) -> list[dict[str, Any]]:
    """The rows of these stages; what is said twice in one stage counts once.

    Raises `NomineeNotFound`, `VaultNotFound`, `RoleTooLow`, `ItemNotFound`, `DocumentNotFound`.
    """
    await require_nominees(session, principal, {gift.nominee_id for stage in stages for gift in stage.gifts})
    rows = []
    for number, stage in enumerate(stages):
        parts = [(gift.nominee_id, await _part(session, principal, gift)) for gift in stage.gifts]
        for nominee_id, part in dict.fromkeys(parts):
            rows.append(_row(principal.user_id, plan_id, nominee_id, number, part))
    await _require_owned(session, principal, {row["vault_id"] for row in rows})
    return rows


async def _part(session: AsyncSession, principal: Principal, gift: AnyGift) -> vaults.Gift:
    match gift:
        case VaultGift():
            return vaults.Gift(gift.vault_id)
        case TypeGift():
            return vaults.Gift(gift.vault_id, type=gift.type)
        case ItemGift():
            item = await vaults.read_item(session, principal, gift.item_id)
            return vaults.Gift(item.vault_id, item_id=item.id)
        case DocumentGift():
            document = await vaults.read_document(session, principal, gift.document_id)
            return vaults.Gift(document.vault_id, document_id=document.id)


async def _require_owned(session: AsyncSession, principal: Principal, vault_ids: set[UUID]) -> None:
    """Nobody leaves to others what is not theirs."""
    for vault_id in sorted(vault_ids):
        await vaults.require(session, principal, vault_id, "own")


def _row(user_id: UUID, plan_id: UUID, nominee_id: UUID, stage: int, part: vaults.Gift) -> dict[str, Any]:
    return {
        "id": new_id(),
        "user_id": user_id,
        "plan_id": plan_id,
        "nominee_id": nominee_id,
        "stage": stage,
        "vault_id": part.vault_id,
        "type": part.type,
        "item_id": part.item_id,
        "document_id": part.document_id,
    }


def scope_of(owner_id: UUID, rows: Sequence[Any]) -> vaults.Scope:
    """What rows of gifts open together."""
    parts = (vaults.Gift(row["vault_id"], row["type"], row["item_id"], row["document_id"]) for row in rows)
    return vaults.Scope(owner_id, tuple(dict.fromkeys(parts)))
