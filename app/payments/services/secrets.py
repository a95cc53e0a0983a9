"""What a person wrote and a provider must get: sealed beside its command until the outcome is known."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import SYSTEM
from app.payments.models import ProviderOperation

TABLE: Final = "payments_operations"


async def sealed_secret(
    session: AsyncSession, owner_id: UUID | None, row_id: UUID, secret: Mapping[str, str]
) -> dict[str, Any]:
    """The columns of a command that hold it; nothing if there is none. For the system."""
    if owner_id is None or not secret:
        return {}
    ring = await current().keys.ring(session, owner_id)
    return {"owner_id": owner_id, "body": ring.seal(TABLE, row_id, "body", orjson.dumps(dict(secret)))}


async def opened_secret(session: AsyncSession, row: ProviderOperation) -> dict[str, str]:
    """What a command holds."""
    if row.body is None or row.owner_id is None:
        return {}
    async with acting_for(session, SYSTEM):
        ring = await current().keys.ring(session, row.owner_id, row.body)
    secret: dict[str, str] = orjson.loads(ring.open(TABLE, row.id, "body", row.body))
    return secret
