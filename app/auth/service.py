"""What other packages may ask of accounts and sign-in."""

from app.auth.accounts import (
    add_user,
    read_me,
    register,
    request_verification,
    update_me,
    verify_email,
)
from app.auth.addresses import email_digest, envelope_email, normalise_email
from app.auth.links import make_link
from app.auth.profiles import Profile, find_profile, profile
from app.auth.purge import purge
from app.auth.recovery import change_password, request_reset, reset_password
from app.auth.sessions import (
    end,
    end_session,
    end_this,
    enter_live_session,
    list_sessions,
    start,
)
from app.auth.sign_in import refresh, sign_in
from app.auth.tokens import principal_of, token_pair

__all__ = [
    "Profile",
    "add_user",
    "change_password",
    "email_digest",
    "end",
    "end_session",
    "end_this",
    "enter_live_session",
    "envelope_email",
    "find_profile",
    "list_sessions",
    "make_link",
    "normalise_email",
    "principal_of",
    "profile",
    "purge",
    "read_me",
    "refresh",
    "register",
    "request_reset",
    "request_verification",
    "reset_password",
    "sign_in",
    "start",
    "token_pair",
    "update_me",
    "verify_email",
]
