"""Consumers that the proxy of a marketplace vouches for: each has an account of its own, which nothing else opens."""

from typing import Final

from app.auth.accounts import add_user, mark_verified
from app.auth.identities import find_identity, link_identity
from app.auth.principal import Principal
from app.auth.profiles import Profile
from app.core.crypto import lookup_digest
from app.db.runtime import current
from app.db.session import session_scope

CONSUMER_SCOPES: Final = frozenset({"vault:read", "vault:write", "rag:ask", "agents:run", "payments:read"})
NOWHERE: Final = "consumers.invalid"  # RFC 6761 §6.4: no mail ever arrives there


async def consumer_account(marketplace: str, subject: str) -> Principal:
    """Whom a marketplace calls `subject`; with their first request they get an account."""
    identity = await find_identity(marketplace, subject)
    if identity is None:
        await _create(marketplace, subject)
        identity = await find_identity(marketplace, subject)
    assert identity is not None  # noqa: S101  made just now, by us or beside us
    return Principal(identity.user_id, CONSUMER_SCOPES, identity_id=identity.id)


async def _create(marketplace: str, subject: str) -> None:
    """Of several first requests at once one makes the account: the address is unique."""
    name = lookup_digest(current().settings.lookup_key_bytes, "auth_consumers.address", f"{marketplace}|{subject}")
    async with session_scope() as session:
        user_id, is_new = await add_user(session, Profile(f"{name.hex()[:32]}@{NOWHERE}", "API consumer"), None)
        if is_new:
            await mark_verified(session, user_id)
            await link_identity(session, user_id, marketplace, subject)
        else:
            await current().keys.destroy(session, user_id)
