"""Recovery codes: ten of them, each stands in for a second factor once; kept as keyed digests."""

import secrets
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import RecoveryCode
from app.core.clock import new_id
from app.core.crypto import lookup_digest
from app.db.runtime import current

ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like something else
LETTERS: Final = 16  # 79 bits
GROUP: Final = 4
COUNT: Final = 10


async def replace_recovery_codes(session: AsyncSession, user_id: UUID) -> list[str]:
    """New codes; the old ones are void. The caller holds a lock on the account."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [_new_code() for _ in range(COUNT)]
    rows = [{"id": new_id(), "user_id": user_id, "digest": _digest(user_id, code)} for code in codes]
    await session.execute(insert(RecoveryCode), rows)
    return codes


def _new_code() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
    return "-".join(letters[start : start + GROUP] for start in range(0, LETTERS, GROUP))


def _digest(user_id: UUID, code: str) -> bytes:
    plain = "".join(letter for letter in code.lower() if letter in ALPHABET)
    return lookup_digest(current().settings.lookup_key_bytes, "auth_recovery_codes.code", f"{user_id}:{plain}")


async def use_recovery_code(session: AsyncSession, user_id: UUID, code: str) -> bool:
    """Use a code up; of two who do so at once, one succeeds."""
    unused = (
        RecoveryCode.user_id == user_id,
        RecoveryCode.digest == _digest(user_id, code),
        RecoveryCode.used_at.is_(None),
    )
    used = update(RecoveryCode).where(*unused).values(used_at=func.now()).returning(RecoveryCode.id)
    return await session.scalar(used) is not None


async def recovery_codes_left(session: AsyncSession, user_id: UUID) -> int:
    """How many codes are unused."""
    unused = RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    return await session.scalar(select(func.count()).where(*unused)) or 0


async def delete_recovery_codes(session: AsyncSession, user_id: UUID) -> None:
    """Void all codes of a person."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
