"""An unlocked account, and how its secret is wrapped; no server in here."""

import os
from dataclasses import dataclass, replace
from uuid import UUID

from app.sealed.box import KEY_ID_BYTES, Key, derive, new_key, seal, unseal
from app.sealed.encoding import digest, pack, unpack, unpack_exactly
from app.sealed.errors import Tampered, WrongPassword, WrongRecoveryKey
from app.sealed.identity import Identity
from app.sealed.kdf import KdfParameters, PasswordKeys, password_keys
from app.sealed.spelling import RECOVERY_BYTES
from app.sealed.state import AccountState, succession

PASSWORD, RECOVERY, IDENTITIES = "password wrap", "recovery wrap", "identities"


@dataclass(frozen=True, slots=True)
class Wraps:
    """The account secret under password and recovery key; the identities under the account secret."""

    password: bytes
    recovery: bytes
    identities: bytes

    def to_bytes(self) -> bytes:
        """One blob, whose digest stands in the state."""
        return pack(self.password, self.recovery, self.identities)

    @classmethod
    def from_bytes(cls, blob: bytes, state: AccountState) -> "Wraps":
        """The wraps that the state names. Raises `Tampered`."""
        if digest(blob) != state.wraps_digest:
            raise Tampered
        return cls(*unpack_exactly(blob, 3))


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """What an unlocked client holds. `retired` are keys of a rotation that is not finished yet."""

    secret: Key
    identity: Identity
    state: AccountState
    envelope: bytes
    wraps: Wraps
    retired: tuple[Identity, ...] = ()

    @property
    def id(self) -> UUID:
        """The account's id, made by its client."""
        return self.identity.account

    def identities(self) -> tuple[Identity, ...]:
        """The present keys, then retired ones."""
        return self.identity, *self.retired


def new_account(account: UUID, password: str) -> tuple[Account, PasswordKeys, bytes]:
    """A fresh account, the keys of its password and its recovery key."""
    secret, identity, recovery = new_key(), Identity.new(account), os.urandom(RECOVERY_BYTES)
    kdf = KdfParameters()
    keys = password_keys(password, kdf, account)
    wraps = Wraps(
        _wrap_by_password(secret, keys, kdf, account),
        _wrap_by_recovery(secret, recovery, account),
        _seal_identities(secret, (identity,)),
    )
    state = AccountState(identity.public, 1, kdf, digest(wraps.to_bytes()))
    return Account(secret, identity, state, state.envelope(identity), wraps), keys, recovery


def open_by_password(state: AccountState, envelope: bytes, blob: bytes, keys: PasswordKeys) -> Account:
    """Raises `Tampered`, `WrongPassword`."""
    wraps, account = Wraps.from_bytes(blob, state), state.identity.account
    key = _password_key(keys, state.kdf)
    try:
        secret = unseal(key, PASSWORD, account.bytes, state.kdf.to_bytes(), box=wraps.password)
    except Tampered:
        raise WrongPassword from None
    return _open(Key.from_bytes(secret), state, envelope, wraps)


def open_by_recovery(state: AccountState, envelope: bytes, blob: bytes, recovery: bytes) -> Account:
    """Raises `Tampered`, `WrongRecoveryKey`."""
    wraps, account = Wraps.from_bytes(blob, state), state.identity.account
    try:
        secret = unseal(_recovery_key(recovery, account), RECOVERY, account.bytes, box=wraps.recovery)
    except Tampered:
        raise WrongRecoveryKey from None
    return _open(Key.from_bytes(secret), state, envelope, wraps)


def _open(secret: Key, state: AccountState, envelope: bytes, wraps: Wraps) -> Account:
    account = state.identity.account
    present, *retired = unpack(unseal(secret, IDENTITIES, account.bytes, box=wraps.identities))
    identity = Identity.from_bytes(present)
    if identity.public != state.identity:
        raise Tampered
    return Account(secret, identity, state, envelope, wraps, tuple(Identity.from_bytes(each) for each in retired))


def with_password(account: Account, password: str) -> tuple[Account, PasswordKeys]:
    """The same account under another password; only the wrap is new."""
    kdf = KdfParameters()
    keys = password_keys(password, kdf, account.id)
    wrap = _wrap_by_password(account.secret, keys, kdf, account.id)
    return _next(account, wraps=replace(account.wraps, password=wrap), kdf=kdf), keys


def with_recovery(account: Account) -> tuple[Account, bytes]:
    """The same account under another recovery key, which is returned."""
    recovery = os.urandom(RECOVERY_BYTES)
    wrap = _wrap_by_recovery(account.secret, recovery, account.id)
    return _next(account, wraps=replace(account.wraps, recovery=wrap)), recovery


def with_new_keys(account: Account, password: str) -> tuple[Account, PasswordKeys, bytes]:
    """Another secret and other key pairs; the old pairs are kept aside until every vault has moved over."""
    secret, identity, recovery = new_key(), Identity.new(account.id), os.urandom(RECOVERY_BYTES)
    kdf, retired = KdfParameters(), account.identities()
    keys = password_keys(password, kdf, account.id)
    wraps = Wraps(
        _wrap_by_password(secret, keys, kdf, account.id),
        _wrap_by_recovery(secret, recovery, account.id),
        _seal_identities(secret, (identity, *retired)),
    )
    steps = (*account.state.successions, succession(account.identity, identity.public))
    moved = replace(account, secret=secret, identity=identity, retired=retired)
    return _next(moved, wraps=wraps, kdf=kdf, successions=steps), keys, recovery


def without_retired(account: Account) -> Account:
    """The end of a rotation: the old key pairs are forgotten."""
    wraps = replace(account.wraps, identities=_seal_identities(account.secret, (account.identity,)))
    return replace(_next(account, wraps=wraps), retired=())


def recovery_authentication(recovery: bytes, account: UUID) -> bytes:
    """What signs in with a recovery key."""
    return derive(recovery, "recovery authentication", account.bytes)


def _next(account: Account, *, wraps: Wraps, **changes: object) -> Account:
    state = account.state.after(
        account.envelope, identity=account.identity.public, wraps_digest=digest(wraps.to_bytes()), **changes
    )
    return replace(account, state=state, envelope=state.envelope(account.identity), wraps=wraps)


def _password_key(keys: PasswordKeys, kdf: KdfParameters) -> Key:
    return Key(digest(kdf.to_bytes())[:KEY_ID_BYTES], keys.unwrap)


def _wrap_by_password(secret: Key, keys: PasswordKeys, kdf: KdfParameters, account: UUID) -> bytes:
    key = _password_key(keys, kdf)
    return seal(key, PASSWORD, account.bytes, kdf.to_bytes(), plaintext=secret.to_bytes())


def _recovery_key(recovery: bytes, account: UUID) -> Key:
    return Key.from_bytes(derive(recovery, "recovery unwrap", account.bytes, length=KEY_ID_BYTES + RECOVERY_BYTES))


def _wrap_by_recovery(secret: Key, recovery: bytes, account: UUID) -> bytes:
    return seal(_recovery_key(recovery, account), RECOVERY, account.bytes, plaintext=secret.to_bytes())


def _seal_identities(secret: Key, identities: tuple[Identity, ...]) -> bytes:
    account = identities[0].account
    return seal(secret, IDENTITIES, account.bytes, plaintext=pack(*(each.to_bytes() for each in identities)))
