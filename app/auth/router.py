"""Accounts, sign-in and sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import Form

from app.api.deps import SessionDep
from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth import service
from app.auth.errors import (
    EmailNotVerified,
    InvalidCredentials,
    InvalidLink,
    InvalidRefreshToken,
    InvalidSecondFactor,
    SecondFactorRequired,
    SessionNeeded,
    SessionNotFound,
    StepUpRequired,
    TooManyAttempts,
    UnknownScope,
    WeakPassword,
    WrongPassword,
)
from app.auth.routes.api_keys import router as api_keys_router
from app.auth.routes.deletion import router as deletion_router
from app.auth.routes.deps import DeviceDep, Person, Self, SignedIn
from app.auth.routes.identities import router as identities_router
from app.auth.routes.pages import router as pages_router
from app.auth.routes.passkeys import router as passkeys_router
from app.auth.routes.second_factor import router as second_factor_router
from app.auth.schemas import (
    EmailRequest,
    MailAccepted,
    MeRead,
    MeUpdate,
    PasswordChange,
    RefreshRequest,
    Registered,
    RegisterRequest,
    ResetRequest,
    SessionPage,
    SessionRead,
    SessionUpdate,
    SignInRequest,
    TokenForm,
    TokenPair,
    VerifyRequest,
)

router = Router(prefix="/auth", tags=["auth"])
router.include_router(pages_router)
router.include_router(api_keys_router)
router.include_router(second_factor_router)
router.include_router(passkeys_router)
router.include_router(deletion_router)
router.include_router(identities_router)
PASSWORD_PROBLEMS = problems(WrongPassword, WeakPassword, TooManyAttempts, SessionNeeded, StepUpRequired)
MAIL_ACCEPTED = MailAccepted(detail="If there is an account that it fits, an e-mail is on its way.")
SIGN_IN_PROBLEMS = problems(
    InvalidCredentials, SecondFactorRequired, InvalidSecondFactor, EmailNotVerified, TooManyAttempts, UnknownScope
)


@router.post("/register", status_code=201, responses=problems(WeakPassword, TooManyAttempts))
async def register(data: RegisterRequest, device: DeviceDep) -> Registered:
    """Create an account; a link to confirm the address is sent by e-mail.

    The answer is the same for an address that has an account already; its owner gets an e-mail that says so.
    """
    return await service.register(data, device)


@router.post("/verify-email", status_code=204, responses=problems(InvalidLink))
async def verify_email(data: VerifyRequest) -> None:
    """Confirm your e-mail address by the token that was sent to it."""
    await service.verify_email(data.token)


@router.post("/verify-email/resend", status_code=202, responses=problems(TooManyAttempts))
async def resend_verification(data: EmailRequest, device: DeviceDep) -> MailAccepted:
    """Have the link to confirm your address sent again. The answer does not tell whether there is an account."""
    await service.request_verification(data.email, device)
    return MAIL_ACCEPTED


@router.post("/token", responses=SIGN_IN_PROBLEMS)
async def create_token(form: Annotated[TokenForm, Form()], device: DeviceDep) -> TokenPair:
    """Sign in with the password form of OAuth 2; `username` is your e-mail address.

    With a second factor, send a code as `otp`; or without it take the `challenge` of the answer
    `second-factor-required` to `/v1/auth/token/second-factor`. `methods` there names what is possible.
    """
    return await service.sign_in(form.username, form.password, form.scope, device, form.otp)


@router.post("/login", responses=SIGN_IN_PROBLEMS)
async def login(data: SignInRequest, device: DeviceDep) -> TokenPair:
    """Sign in with JSON."""
    return await service.sign_in(data.email, data.password, data.scope, device, data.otp)


@router.post("/refresh", responses=problems(InvalidRefreshToken))
async def refresh(data: RefreshRequest) -> TokenPair:
    """Exchange a refresh token for a new pair.

    A refresh token works once. If the answer got lost, repeat the request within 30 seconds. Used later, or after its
    successor was used, it must have been copied: the whole session ends, on every side.
    """
    return await service.refresh(data.refresh_token)


@router.post("/logout", status_code=204, responses=problems(SessionNeeded))
async def logout(principal: SignedIn, session: SessionDep) -> None:
    """End this session at once: its access token and its refresh token work no more."""
    await service.end_this(session, principal)


@router.post("/logout-everywhere", status_code=204, responses=problems(SessionNeeded))
async def logout_everywhere(principal: Person, session: SessionDep) -> None:
    """End all your sessions at once, this one too."""
    await service.end(session, principal.user_id)


@router.get("/sessions", responses=problems(SessionNeeded))
async def list_sessions(
    principal: Person, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> SessionPage:
    """See where you are signed in, newest first."""
    items, last = await service.list_sessions(session, principal, parse_cursor(cursor), limit)
    return SessionPage(items=items, next_cursor=cursor_of(last) if last else None)


@router.patch("/sessions/{session_id}", responses=problems(SessionNotFound, SessionNeeded))
async def update_session(session_id: UUID, data: SessionUpdate, principal: Person, session: SessionDep) -> SessionRead:
    """Give a device a name of your own."""
    return await service.update_session(session, principal, session_id, data)


@router.delete("/sessions/{session_id}", status_code=204, responses=problems(SessionNotFound, SessionNeeded))
async def end_session(session_id: UUID, principal: Person, session: SessionDep) -> None:
    """Sign a device out at once."""
    await service.end_session(session, principal, session_id)


@router.get("/me")
async def read_me(principal: Self, session: SessionDep) -> MeRead:
    """See your account."""
    return await service.read_me(session, principal)


@router.patch("/me")
async def update_me(data: MeUpdate, principal: Self, session: SessionDep) -> MeRead:
    """Change your name."""
    return await service.update_me(session, principal, data)


@router.post("/password", status_code=204, responses=PASSWORD_PROBLEMS)
async def change_password(data: PasswordChange, principal: Person, session: SessionDep, device: DeviceDep) -> None:
    """Change your password; all your other sessions end."""
    await service.change_password(session, principal, data, device)


@router.post("/forgot-password", status_code=202, responses=problems(TooManyAttempts))
async def forgot_password(data: EmailRequest, device: DeviceDep) -> MailAccepted:
    """Have a link for a new password sent to you. The answer does not tell whether there is an account."""
    await service.request_reset(data.email, device)
    return MAIL_ACCEPTED


@router.post("/reset-password", status_code=204, responses=problems(InvalidLink, WeakPassword))
async def reset_password(data: ResetRequest) -> None:
    """Set a new password by the token that was sent to you; all your sessions end."""
    await service.reset_password(data)
