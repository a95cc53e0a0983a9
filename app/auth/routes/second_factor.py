"""Second factors, recovery codes and step-up."""

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import (
    InvalidChallenge,
    InvalidSecondFactor,
    NoSecondFactor,
    SessionNeeded,
    StepUpRequired,
    TooManyAttempts,
    TotpActive,
    TotpNotFound,
    WrongCode,
    WrongPassword,
)
from app.auth.factor_schemas import (
    PasskeyOptions,
    RecoveryCodesRead,
    SecondFactorAnswer,
    SecondFactors,
    StepUp,
    TotpCode,
    TotpSetup,
)
from app.auth.routes.deps import DeviceDep, Person, SignedIn
from app.auth.schemas import TokenPair

router = Router()
CONFIRM_PROBLEMS = problems(SessionNeeded, StepUpRequired, WrongCode, TotpNotFound, TooManyAttempts)
STEP_UP_PROBLEMS = problems(SessionNeeded, WrongPassword, WrongCode, TooManyAttempts)


@router.post("/token/second-factor", responses=problems(InvalidChallenge, InvalidSecondFactor, TooManyAttempts))
async def answer_second_factor(data: SecondFactorAnswer, device: DeviceDep) -> TokenPair:
    """Finish a sign-in that was answered with `second-factor-required`.

    Send its `challenge` with a code of the app, a recovery code, or a passkey that signed the challenge (see
    `passkey_options` in that answer). A challenge works once and bears a few wrong answers.
    """
    return await service.finish_sign_in(data, device)


@router.post("/step-up", status_code=204, responses=STEP_UP_PROBLEMS)
async def step_up(data: StepUp, principal: SignedIn, session: SessionDep, device: DeviceDep) -> None:
    """Prove once more who you are, so that this session may do what is dangerous for some minutes.

    Signing in counts as such a proof, too. Acts that need one are otherwise answered with `step-up-required`.
    """
    await service.step_up(session, principal, data, device)


@router.post("/step-up/options", responses=problems(SessionNeeded))
async def start_step_up(principal: SignedIn, session: SessionDep) -> PasskeyOptions:
    """Get the options for a step-up with a passkey."""
    return await service.start_step_up(session, principal)


@router.get("/second-factors", responses=problems(SessionNeeded))
async def read_second_factors(principal: Person, session: SessionDep) -> SecondFactors:
    """See which second factors you have set up."""
    return await service.read_second_factors(session, principal)


@router.post("/totp", status_code=201, responses=problems(SessionNeeded, StepUpRequired, TotpActive))
async def set_up_totp(principal: Person, session: SessionDep) -> TotpSetup:
    """Get a secret for your authenticator app; it counts once you confirm it by a code."""
    return await service.set_up_totp(session, principal)


@router.post("/totp/confirm", responses=CONFIRM_PROBLEMS)
async def confirm_totp(data: TotpCode, principal: Person, session: SessionDep, device: DeviceDep) -> RecoveryCodesRead:
    """Confirm your app by a code; from now on a sign-in needs one. Keep the recovery codes on paper."""
    return await service.confirm_totp(session, principal, data.code, device)


@router.delete("/totp", status_code=204, responses=problems(SessionNeeded, StepUpRequired, TotpNotFound))
async def delete_totp(principal: Person, session: SessionDep) -> None:
    """Remove your authenticator app."""
    await service.delete_totp(session, principal)


@router.post("/recovery-codes", status_code=201, responses=problems(SessionNeeded, StepUpRequired, NoSecondFactor))
async def renew_recovery_codes(principal: Person, session: SessionDep) -> RecoveryCodesRead:
    """Get new recovery codes; the old ones work no more."""
    return await service.renew_recovery_codes(session, principal)
