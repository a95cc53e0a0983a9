"""Second factors as a whole: which there are, and the recovery codes that come and go with them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.acts import note
from app.auth.errors import NoSecondFactor
from app.auth.factor_schemas import RecoveryCodesRead, SecondFactors
from app.auth.models import Passkey, Totp, User
from app.auth.principal import Principal
from app.auth.recovery_codes import delete_recovery_codes, recovery_codes_left, replace_recovery_codes
from app.auth.step_up import require_recent


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can answer with besides the password."""

    totp: bool
    passkeys: int

    def __bool__(self) -> bool:
        return self.totp or self.passkeys > 0

    @property
    def methods(self) -> list[str]:
        """The fields of an answer that are possible."""
        return [*["code"] * self.totp, *["passkey"] * bool(self.passkeys), "recovery_code"]


async def factors_of(session: AsyncSession, user_id: UUID) -> Factors:
    """The confirmed second factors of a person; with any of them a password alone opens nothing."""
    totp = exists().where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None))
    passkeys = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id).scalar_subquery()
    return Factors(*(await session.execute(select(totp, passkeys))).one())


async def read_second_factors(session: AsyncSession, principal: Principal) -> SecondFactors:
    """What the principal has set up."""
    factors = await factors_of(session, principal.user_id)
    left = await recovery_codes_left(session, principal.user_id)
    return SecondFactors(totp=factors.totp, passkeys=factors.passkeys, recovery_codes_left=left)


async def hold_account(session: AsyncSession, user_id: UUID) -> None:
    """Lock an account, so that changes of its factors come one after the other."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update())


async def hold_account_for_reading(session: AsyncSession, user_id: UUID) -> None:
    """Lock an account against changes; others may do the same."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(read=True))


async def first_recovery_codes(session: AsyncSession, user_id: UUID) -> list[str]:
    """Recovery codes for somebody who is to have a second factor and has none left; empty for others."""
    await hold_account(session, user_id)
    return [] if await recovery_codes_left(session, user_id) else await replace_recovery_codes(session, user_id)


async def forget_recovery_codes_without_factor(session: AsyncSession, user_id: UUID) -> None:
    """Recovery codes without a second factor open nothing, and are not kept."""
    await hold_account(session, user_id)
    if not await factors_of(session, user_id):
        await delete_recovery_codes(session, user_id)


async def renew_recovery_codes(session: AsyncSession, principal: Principal) -> RecoveryCodesRead:
    """New recovery codes; the old ones are void. Raises `StepUpRequired`, `NoSecondFactor`."""
    await require_recent(session, principal)
    await hold_account(session, principal.user_id)
    if not await factors_of(session, principal.user_id):
        raise NoSecondFactor
    codes = await replace_recovery_codes(session, principal.user_id)
    await note(session, principal, principal.user_id, "auth.recovery_codes_renewed")
    return RecoveryCodesRead(recovery_codes=codes)
