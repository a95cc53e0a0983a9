"""The reference client: an account on one device, before any server.

client, recovery = SealedClient.create_account(transport, "a long password")
vault = client.create_vault()
item = vault.items.put({"title": "Passport", "number": "X123"})
client.save()
"""

from uuid import UUID, uuid4

from app.sealed import account as accounts
from app.sealed import contacts
from app.sealed.account import Account
from app.sealed.box import seal, unseal
from app.sealed.encoding import digest
from app.sealed.errors import Conflict, KeyNotVerified, Missing, RolledBack, SealedError, Tampered
from app.sealed.identity import PublicIdentity
from app.sealed.kdf import password_keys
from app.sealed.keyring import join_lists, open_keyring
from app.sealed.names import pins_name, state_name, verifier_names, wraps_name
from app.sealed.pins import Pins, Seen
from app.sealed.spelling import recovery_secret, recovery_text, same_words
from app.sealed.state import AccountState, check_not_older, check_succession, open_state
from app.sealed.transport import Transport
from app.sealed.vault import SealedVault, create_vault

PINS = "pins"


class SealedClient:
    """An unlocked account. `pins` must be kept on the device between runs (`Pins.to_bytes`)."""

    def __init__(self, transport: Transport, account: Account, pins: Pins | None = None) -> None:
        self.transport, self.account, self.pins = transport, account, pins or Pins()
        self._see_state()

    @classmethod
    def create_account(
        cls, transport: Transport, password: str, account: UUID | None = None
    ) -> tuple["SealedClient", str]:
        """A new account and its recovery key, to be printed and shown once."""
        made, keys, recovery = accounts.new_account(account or uuid4(), password)
        client = cls(transport, made)
        by_password, by_recovery = verifier_names(made.id)
        changes = client._account_blobs() | {
            by_password: keys.authentication,
            by_recovery: accounts.recovery_authentication(recovery, made.id),
            pins_name(made.id): client._sealed_pins(),
        }
        transport.put(changes, dict.fromkeys(changes))
        return client, recovery_text(recovery)

    @classmethod
    def unlock(
        cls,
        transport: Transport,
        account: UUID,
        password: str,
        pins: Pins | None = None,
        fingerprint: str | None = None,
    ) -> "SealedClient":
        """Open an account. Costs, salt and state are checked before anything made of the password is sent.

        On a first device (no `pins`) give the printed `fingerprint`, or the server may show other keys until the
        password has opened the wraps. Raises `WrongPassword`, `WeakKdf`, `RolledBack`, `KeyChanged`, `Tampered`.
        """
        state, envelope = _read_state(transport, account, pins, fingerprint)
        keys = password_keys(password, state.kdf, account)
        transport.authenticate(account, keys.authentication)
        opened = accounts.open_by_password(state, envelope, transport.get(wraps_name(account)), keys)
        return cls(transport, opened, pins)._with_stored_pins()

    @classmethod
    def recover(
        cls, transport: Transport, account: UUID, recovery: str, new_password: str, pins: Pins | None = None
    ) -> "SealedClient":
        """Open an account by its recovery key and give it another password; nothing else changes.

        Raises `Mistyped`, `WrongRecoveryKey`, `WrongPassword` (the server knows no such key), `RolledBack`.
        """
        secret = recovery_secret(recovery)
        state, envelope = _read_state(transport, account, pins, None)
        transport.authenticate(account, accounts.recovery_authentication(secret, account))
        opened = accounts.open_by_recovery(state, envelope, transport.get(wraps_name(account)), secret)
        client = cls(transport, opened, pins)._with_stored_pins()
        client.change_password(new_password)
        return client

    @property
    def id(self) -> UUID:
        """The account."""
        return self.account.id

    @property
    def fingerprint(self) -> str:
        """Our words, to be compared over another channel."""
        return self.account.identity.public.fingerprint

    def change_password(self, password: str) -> None:
        """Wrap the account secret anew; no vault is touched. Raises `Conflict`."""
        changed, keys = accounts.with_password(self.account, password)
        self._replace_account(changed, {verifier_names(self.id)[0]: keys.authentication})

    def new_recovery_key(self) -> str:
        """Another recovery key; the old one opens nothing any more. Raises `Conflict`."""
        changed, recovery = accounts.with_recovery(self.account)
        authentication = accounts.recovery_authentication(recovery, self.id)
        self._replace_account(changed, {verifier_names(self.id)[1]: authentication})
        return recovery_text(recovery)

    def rotate_keys(self, password: str) -> str:
        """Change every key of the account, then move each vault over; returns the new recovery key.

        The first step is one write that keeps the old key pairs sealed beside the new ones, so that a crash after it
        leaves all vaults readable; `finish_rotation` goes on from wherever it stopped. Raises `Conflict`.
        """
        self.finish_rotation()
        changed, keys, recovery = accounts.with_new_keys(self.account, password)
        by_password, by_recovery = verifier_names(self.id)
        authentication = accounts.recovery_authentication(recovery, self.id)
        self._replace_account(changed, {by_password: keys.authentication, by_recovery: authentication})
        self.finish_rotation()
        return recovery_text(recovery)

    @property
    def rotation_pending(self) -> bool:
        """Whether a rotation was cut off."""
        return bool(self.account.retired)

    def finish_rotation(self) -> None:
        """Put our new keys into every vault, then forget the old ones; may be repeated at any time."""
        if not self.rotation_pending:
            return
        for vault in list(self.pins.vaults):
            self.open_vault(vault).adopt_new_keys()
        self._replace_account(accounts.without_retired(self.account), {})

    def look_up(self, account: UUID) -> PublicIdentity:
        """What the server says somebody's keys are; worth nothing until the words were compared."""
        return contacts.look_up(self.transport, account)

    def trust(self, account: UUID, fingerprint: str) -> None:
        """Remember somebody's keys, whose words were compared. Raises `KeyNotVerified`."""
        self.pins.contacts[account] = contacts.compared(self.transport, account, fingerprint)
        self.save()

    def create_vault(self) -> SealedVault:
        """A vault of our own."""
        vault = uuid4()
        create_vault(self.transport, self.account, vault)
        return self._join(vault, self.fingerprint)

    def join_vault(self, vault: UUID, inviter: UUID) -> SealedVault:
        """Enter a vault that somebody compared has let us into. Raises `KeyNotVerified`, `KeyChanged`, `Tampered`."""
        return self._join(vault, contacts.check_contact(self.transport, self.pins, inviter).fingerprint)

    def open_vault(self, vault: UUID) -> SealedVault:
        """A vault joined before. Raises what `SealedVault` raises."""
        return SealedVault(self.transport, self.account, self.pins, vault)

    def save(self) -> None:
        """Leave the pins with the server, sealed, for our next device. Raises `Conflict`."""
        expected = self._merge_stored_pins(Conflict)
        self.transport.put({pins_name(self.id): self._sealed_pins()}, expected)

    def _join(self, vault: UUID, fingerprint: str) -> SealedVault:
        lists = join_lists(self.transport, self.account, vault, fingerprint)
        self.pins.vaults[vault] = open_keyring(self.transport, self.account, vault, lists).pin()
        self.save()
        return self.open_vault(vault)

    def _replace_account(self, changed: Account, more: dict[str, bytes]) -> None:
        expected, before = self._merge_stored_pins(Conflict), self.account
        self.account = changed
        self._see_state()
        try:
            changes = self._account_blobs() | {pins_name(self.id): self._sealed_pins()} | more
            self.transport.put(changes, {state_name(self.id): digest(before.envelope)} | expected)
        except BaseException:
            self.account = before
            self._see_state()
            raise

    def _account_blobs(self) -> dict[str, bytes]:
        return {state_name(self.id): self.account.envelope, wraps_name(self.id): self.account.wraps.to_bytes()}

    def _see_state(self) -> None:
        self.pins.identity = self.account.identity.public
        self.pins.state = Seen(self.account.state.counter, digest(self.account.envelope))

    def _with_stored_pins(self) -> "SealedClient":
        self._merge_stored_pins(RolledBack)
        return self

    def _merge_stored_pins(self, if_newer: type[SealedError]) -> dict[str, bytes | None]:
        """Take over what our other devices saw; returns what the server has there, for `put`."""
        name = pins_name(self.id)
        try:
            stored = self.transport.get(name)
        except Missing:
            return {name: None}
        pins = Pins.from_bytes(unseal(self.account.secret, PINS, self.id.bytes, box=stored))
        if pins.state and pins.state.counter > self.account.state.counter:
            raise if_newer  # these pins know a later state of the account than the one we opened
        self.pins.merge(pins)
        return {name: digest(stored)}

    def _sealed_pins(self) -> bytes:
        return seal(self.account.secret, PINS, self.id.bytes, plaintext=self.pins.to_bytes())


def _read_state(
    transport: Transport, account: UUID, pins: Pins | None, fingerprint: str | None
) -> tuple[AccountState, bytes]:
    envelope = transport.get(state_name(account))
    state = open_state(envelope)
    if state.identity.account != account:
        raise Tampered
    if fingerprint is not None and not same_words(state.identity.fingerprint, fingerprint):
        raise KeyNotVerified
    if pins and pins.identity and pins.state:
        check_succession(pins.identity, state)
        check_not_older(state, envelope, pins.state.counter, pins.state.digest)
    return state, envelope
