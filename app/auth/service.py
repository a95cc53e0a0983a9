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
from app.auth.api_keys import (
    api_key_prefix,
    create_api_key,
    delete_api_key,
    enter_by_api_key,
    is_api_key,
    list_api_keys,
)
from app.auth.consumers import consumer_account
from app.auth.deletion import before_deletion, delete_accounts, deletion_time, request_deletion, restore_account
from app.auth.devices import device
from app.auth.identities import (
    create_identity,
    delete_identity,
    enter_by_foreign_token,
    enter_linked,
    list_identities,
)
from app.auth.links import make_link
from app.auth.passkeys import create_passkey, delete_passkey, list_passkeys, start_passkey, update_passkey
from app.auth.people import ExpiringKey, account_of, expiring_api_keys, has_password, people
from app.auth.presence import last_seen, note_presence
from app.auth.profiles import Profile, find_profile, profile
from app.auth.proofs import start_step_up, step_up
from app.auth.purge import purge
from app.auth.recovery import change_password, request_reset, reset_password
from app.auth.second_factor import read_second_factors, renew_recovery_codes
from app.auth.second_step import finish_sign_in, sign_in_with_passkey, start_passkey_sign_in
from app.auth.sessions import (
    end,
    end_session,
    end_this,
    enter_live_session,
    find_session,
    list_sessions,
    start,
    update_session,
)
from app.auth.sign_in import refresh, sign_in
from app.auth.step_up import require_recent, require_session
from app.auth.tokens import principal_of, token_pair
from app.auth.totp import confirm_totp, delete_totp, set_up_totp
from app.auth.watching import enter_again, seconds_left

__all__ = [
    "ExpiringKey",
    "Profile",
    "account_of",
    "add_user",
    "api_key_prefix",
    "before_deletion",
    "change_password",
    "confirm_totp",
    "consumer_account",
    "create_api_key",
    "create_identity",
    "create_passkey",
    "delete_accounts",
    "delete_api_key",
    "delete_identity",
    "delete_passkey",
    "delete_totp",
    "deletion_time",
    "device",
    "email_digest",
    "end",
    "end_session",
    "end_this",
    "enter_again",
    "enter_by_api_key",
    "enter_by_foreign_token",
    "enter_linked",
    "enter_live_session",
    "envelope_email",
    "expiring_api_keys",
    "find_profile",
    "find_session",
    "finish_sign_in",
    "has_password",
    "is_api_key",
    "last_seen",
    "list_api_keys",
    "list_identities",
    "list_passkeys",
    "list_sessions",
    "make_link",
    "normalise_email",
    "note_presence",
    "people",
    "principal_of",
    "profile",
    "purge",
    "read_me",
    "read_second_factors",
    "refresh",
    "register",
    "renew_recovery_codes",
    "request_deletion",
    "request_reset",
    "request_verification",
    "require_recent",
    "require_session",
    "reset_password",
    "restore_account",
    "seconds_left",
    "set_up_totp",
    "sign_in",
    "sign_in_with_passkey",
    "start",
    "start_passkey",
    "start_passkey_sign_in",
    "start_step_up",
    "step_up",
    "token_pair",
    "update_me",
    "update_passkey",
    "update_session",
    "verify_email",
]
