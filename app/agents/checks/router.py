"""Routes of the life check and the legacy check."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Security

from app.agents.checks import service
from app.agents.checks.schemas import LegacyCheck, LifeCheck
from app.api.deps import SessionDep, get_principal
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.vault.errors import VaultNotFound, VaultSealed

Checker = Annotated[Principal, Security(get_principal, scopes=["agents:run", "vault:read"])]
Vault = Annotated[UUID | None, Query(description="Look at this vault only.")]

router = Router(prefix="/agents")


@router.get("/life-check", responses=problems(VaultNotFound, VaultSealed))
async def check_life(principal: Checker, session: SessionDep, vault_id: Vault = None) -> LifeCheck:
    """Find what is missing, incomplete, past or about to end, and what contradicts something else.

    Records are looked at, and the documents that they were made of, each finding with its evidence. No language model
    is asked, records with secrets are left out, and nothing is changed.
    """
    return await service.life_check(session, principal, [vault_id] if vault_id else None)


@router.get("/legacy-check", responses=problems(VaultNotFound, VaultSealed))
async def check_legacy(principal: Checker, session: SessionDep, vault_id: Vault = None) -> LegacyCheck:
    """See what is prepared for the people you leave behind, and what to do next. No language model is asked."""
    return await service.legacy_check(session, principal, [vault_id] if vault_id else None)
