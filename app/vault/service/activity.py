"""What happened in a vault, out of the log; and who may read the log itself."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.session import Actor
from app.vault.policy import allows, require
from app.vault.schemas.activity import ActivityRead
from app.vault.service.members import list_members

DONE: Final = ("created", "updated", "deleted", "purged")
# What every member may know of: what lies in the vault, and who is in it. The rest is for those who manage it.
OPEN_TO_ALL: Final = (
    "vault.created",
    "vault.updated",
    "vault.restored",
    "vault.handed_over",
    "vault.member_added",
    "vault.member_changed",
    "vault.member_left",
    "vault.member_removed",
    *(f"vault.{kind}_{done}" for kind in ("item", "document") for done in (*DONE, "trashed", "restored", "moved")),
    *(f"vault.{kind}_{done}" for kind in ("type", "link") for done in DONE),
    "vault.item_version_restored",
    "vault.item_part_restored",
    "vault.document_version_added",
    "vault.sealed_epoch_begun",
    "vault.sealed_keys_changed",
)


async def list_activity(
    session: AsyncSession, principal: Principal, vault_id: UUID, filters: audit.Filters
) -> tuple[list[ActivityRead], int | None]:
    """One page of what happened in a vault, the last first; and the entry that the next page continues before.

    Raises `VaultNotFound`.
    """
    role = await require(session, principal, vault_id, "read", any_tier=True)
    wanted = filters if allows(role, "manage") else replace(filters, actions=OPEN_TO_ALL)
    async with acting_for(session, Actor.vault(vault_id)):  # who manages no vault can't look into its log
        entries, last = await audit.entries_of(session, vault_id, wanted)
    names = {each.user_id: each.name for each in await list_members(session, principal, vault_id)}
    shown = [
        ActivityRead(actor_name=names.get(entry.actor_id) if entry.actor_id else None, **_plain(entry))
        for entry in entries
    ]
    return shown, last


def _plain(entry: audit.EntryRead) -> dict[str, object]:
    return entry.model_dump(include=ActivityRead.model_fields.keys() - {"actor_name"})
