"""Who stays connected for long: asked again and again whether they still may, which is no sign that they are there.

Only what a person does counts as their presence (see `app.auth.presence`); an open connection on a device that lies in
a drawer does not.
"""

import time
from typing import Final

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.api_keys import IS_LIVE as KEY_IS_LIVE
from app.auth.api_keys import is_api_key
from app.auth.errors import InvalidApiKey, SessionEnded, UnknownIdentity
from app.auth.identities import IS_LINKED
from app.auth.principal import Principal
from app.auth.sessions import IS_LIVE as SESSION_IS_LIVE
from app.core.errors import Unauthorized
from app.core.security import decoded_segment
from app.db.session import enter

PAYLOAD: Final = 1  # the second segment of a JWT (RFC 7519 §3)


async def enter_again(session: AsyncSession, principal: Principal) -> None:
    """Begin the transaction for somebody who was let in before, if what let them in still holds.

    Raises `SessionEnded`, `InvalidApiKey`, `UnknownIdentity`.
    """
    user_id = principal.user_id
    error: type[Unauthorized]
    if principal.session_id:
        question, error = SESSION_IS_LIVE.with_ids(session_id=principal.session_id, user_id=user_id), SessionEnded
    elif principal.api_key_id:
        question, error = KEY_IS_LIVE.with_ids(api_key_id=principal.api_key_id, user_id=user_id), InvalidApiKey
    elif principal.identity_id:
        question, error = IS_LINKED.with_ids(identity_id=principal.identity_id, user_id=user_id), UnknownIdentity
    else:
        raise SessionEnded
    if not await enter(session, principal.actor, question):
        raise error


def seconds_left(token: str) -> float | None:
    """How long a token that was accepted is still good; None for API keys, which the database knows the end of."""
    if is_api_key(token):
        return None
    return float(orjson.loads(decoded_segment(token.split(".")[PAYLOAD]))["exp"]) - time.time()
