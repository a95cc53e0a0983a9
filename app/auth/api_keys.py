"""API keys: bearer tokens that programs keep, `lv_<prefix>_<secret and checksum>`.

The checksum refuses typos without a question to the database; by the prefix a key is found and recognised by people;
of the whole only a digest is kept, which is enough because the secret has 256 bits of its own.
"""

import hmac
import re
import secrets
import string
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID
from zlib import crc32

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import attempts
from app.auth.acts import note
from app.auth.devices import Device
from app.auth.errors import ApiKeyNotFound, InvalidApiKey, ScopeNotHeld, TooManyApiKeys
from app.auth.models import ApiKey, User
from app.auth.parts import per_runtime
from app.auth.principal import SCOPES, Principal
from app.auth.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyRead
from app.auth.seen import Seen
from app.auth.step_up import require_recent
from app.core.clock import new_id
from app.core.crypto import token_digest
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import Runtime, current
from app.db.session import enter, session_scope
from app.db.statements import Statement

MARK: Final = "lv_"
ALPHABET: Final = string.digits + string.ascii_letters
PREFIX_LENGTH: Final = 10
SECRET_LENGTH: Final = 43  # 62^43 > 2^256
CHECKSUM_LENGTH: Final = 6  # 62^6 > 2^32
FORM: Final = re.compile(rf"lv_([0-9A-Za-z]{{{PREFIX_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")
SEEN_SECONDS: Final = 60
REMEMBER_KEYS: Final = 4_096

UNEXPIRED: ColumnElement[bool] = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
IS_LIVE = Statement(
    select(literal_column("1")).where(
        ApiKey.id == bindparam("api_key_id"), ApiKey.user_id == bindparam("user_id"), UNEXPIRED
    )
)


async def create_api_key(session: AsyncSession, principal: Principal, data: ApiKeyCreate) -> ApiKeyCreated:
    """A new key; its text is shown this once.

    Raises `StepUpRequired`, `SessionNeeded`, `ScopeNotHeld`, `TooManyApiKeys`. Emits `auth.api_key_created`.
    """
    await require_recent(session, principal)
    if missing := sorted(set(data.scopes) - principal.scopes):
        raise ScopeNotHeld(f"You lack the scope {missing[0]}")
    await _require_room(session, principal.user_id)
    token, row_id = _new_token(), new_id()
    ring = await current().keys.ring(session, principal.user_id)
    values = {
        "id": row_id,
        "user_id": principal.user_id,
        "body": ring.seal("auth_api_keys", row_id, "body", orjson.dumps({"name": data.name})),
        "prefix": _prefix(token),
        "digest": token_digest(token),
        "scope": " ".join(name for name in SCOPES if name in data.scopes),
        "expires_at": func.now() + timedelta(days=data.expires_in_days) if data.expires_in_days else None,
    }
    row = await session.scalar(insert(ApiKey).values(**values).returning(ApiKey))
    assert row is not None  # noqa: S101
    await emit(session, "auth.api_key_created", user_id=principal.user_id, api_key_id=row_id)
    await note(session, principal, principal.user_id, "auth.api_key_created", row_id)
    return ApiKeyCreated(key=token, **_read(row, ring).model_dump())


async def _require_room(session: AsyncSession, user_id: UUID) -> None:
    """The account is locked, so that two new keys at once are counted one after the other."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update())
    held = await session.scalar(select(func.count()).where(ApiKey.user_id == user_id))
    if (held or 0) >= current().settings.api_keys_per_user:
        raise TooManyApiKeys("Revoke one that is not needed any more")


def _new_token() -> str:
    prefix, secret = ("".join(secrets.choice(ALPHABET) for _ in range(n)) for n in (PREFIX_LENGTH, SECRET_LENGTH))
    start = f"{MARK}{prefix}_{secret}"
    return start + _checksum(start)


def _checksum(text: str) -> str:
    """CRC-32 (ISO 3309) in six digits of base 62: it finds typos and keeps no secret."""
    rest, digits = crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _prefix(token: str) -> str:
    """The part that is shown, with the mark. Raises `InvalidApiKey` for what is no key of ours by its looks."""
    if not FORM.fullmatch(token) or _checksum(token[:-CHECKSUM_LENGTH]) != token[-CHECKSUM_LENGTH:]:
        raise InvalidApiKey
    return token[: len(MARK) + PREFIX_LENGTH]


async def list_api_keys(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[ApiKeyRead], UUID | None]:
    """The principal's keys, newest first, older than `after`; with the last id if there are more."""
    statement = select(ApiKey).where(ApiKey.user_id == principal.user_id)
    if after:
        statement = statement.where(ApiKey.id < after)
    rows: Sequence[ApiKey] = (await session.scalars(statement.order_by(ApiKey.id.desc()).limit(limit + 1))).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    items = [_read(row, ring) for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def _read(row: ApiKey, ring: KeyRing) -> ApiKeyRead:
    return ApiKeyRead(
        id=row.id,
        name=orjson.loads(ring.open("auth_api_keys", row.id, "body", row.body))["name"],
        prefix=row.prefix,
        scopes=row.scope.split(),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


async def delete_api_key(session: AsyncSession, principal: Principal, api_key_id: UUID) -> None:
    """Revoke a key of the principal: it is refused from this transaction on. Raises `ApiKeyNotFound`."""
    mine = ApiKey.id == api_key_id, ApiKey.user_id == principal.user_id
    if await session.scalar(delete(ApiKey).where(*mine).returning(ApiKey.id)) is None:
        raise ApiKeyNotFound
    await note(session, principal, principal.user_id, "auth.api_key_deleted", api_key_id)


async def api_key_prefix(session: AsyncSession, api_key_id: UUID) -> str | None:
    """How a key begins; None if it was revoked."""
    prefix: str | None = await session.scalar(select(ApiKey.prefix).where(ApiKey.id == api_key_id))
    return prefix


async def delete_api_keys(session: AsyncSession, user_id: UUID) -> None:
    """Revoke every key of a person."""
    await session.execute(delete(ApiKey).where(ApiKey.user_id == user_id))


def is_api_key(token: str) -> bool:
    """Whether a bearer token means to be a key; access tokens never begin like this."""
    return token.startswith(MARK)


async def enter_by_api_key(session: AsyncSession, token: str, device: Device) -> Principal:
    """Begin the transaction of a request for the owner of a key. Raises `InvalidApiKey`, `TooManyAttempts`."""
    digest = token_digest(token)
    principal = _known().get(digest)
    if principal is None:
        principal = await _find(token, digest, device)
        _known().add(digest, principal)
    assert principal.api_key_id  # noqa: S101
    if _seen().is_stale(principal.api_key_id):
        await _seen().mark(principal.api_key_id, _touch(principal))
    question = IS_LIVE.with_ids(api_key_id=principal.api_key_id, user_id=principal.user_id)
    if not await enter(session, principal.actor, question):
        raise InvalidApiKey
    return principal


async def _find(token: str, digest: bytes, device: Device) -> Principal:
    """Whom a key is for; one that looks like a key and is none counts against the address that it came from."""
    prefix = _prefix(token)
    await attempts.begin_api_key(device)
    columns = ApiKey.id, ApiKey.user_id, ApiKey.digest, ApiKey.scope
    async with session_scope() as session:
        row = (await session.execute(select(*columns).where(ApiKey.prefix == prefix, UNEXPIRED))).one_or_none()
    if not hmac.compare_digest(row.digest if row else bytes(len(digest)), digest) or row is None:
        await attempts.failed_api_key(device)
        raise InvalidApiKey
    return Principal(row.user_id, frozenset(row.scope.split()), api_key_id=row.id)


class _Known:
    """Whom keys are for, by the digest of the key; that a key still lives is asked on every request."""

    def __init__(self) -> None:
        self._principals: OrderedDict[bytes, Principal] = OrderedDict()

    def get(self, digest: bytes) -> Principal | None:
        return self._principals.get(digest)

    def add(self, digest: bytes, principal: Principal) -> None:
        self._principals[digest] = principal
        if len(self._principals) > REMEMBER_KEYS:
            self._principals.popitem(last=False)


@per_runtime
def _known(_: Runtime) -> _Known:
    return _Known()


@per_runtime
def _seen(_: Runtime) -> Seen:
    return Seen(SEEN_SECONDS)


async def _touch(principal: Principal) -> None:
    """Record that a key is in use, in a transaction of its own, so that a long request holds no lock on it."""
    old = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - timedelta(seconds=SEEN_SECONDS))
    stale = select(ApiKey.id).where(ApiKey.id == principal.api_key_id, old).with_for_update(skip_locked=True)
    async with session_scope(principal.actor) as session:
        await session.execute(
            update(ApiKey).where(ApiKey.id.in_(stale)).values(last_used_at=func.now()),
            execution_options={"synchronize_session": False},
        )
