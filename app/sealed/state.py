"""The signed state of an account: whose keys, which password costs, which wraps; counted, so that it can't go back."""

from dataclasses import dataclass, replace

from app.sealed.encoding import NO_DIGEST, digest, number, pack, to_number, unpack, unpack_exactly
from app.sealed.errors import KeyChanged, RolledBack, Tampered
from app.sealed.identity import Identity, PublicIdentity, read_envelope
from app.sealed.kdf import KdfParameters

PURPOSE = "account state"
SUCCESSION = "succession"


@dataclass(frozen=True, slots=True)
class AccountState:
    """One state; everything in it may be public.

    `successions` leads from the first keys of the account to the present ones, each step signed by the old keys.
    """

    identity: PublicIdentity
    counter: int
    kdf: KdfParameters
    wraps_digest: bytes
    previous: bytes = NO_DIGEST
    successions: tuple[bytes, ...] = ()

    def envelope(self, identity: Identity) -> bytes:
        """Signed by the keys that it names."""
        return identity.envelope(PURPOSE, self.body())

    def after(self, envelope: bytes, **changes: object) -> "AccountState":
        """The next state, chained to the envelope of this one."""
        return replace(self, counter=self.counter + 1, previous=digest(envelope), **changes)  # type: ignore[arg-type]

    def body(self) -> bytes:
        """What is signed."""
        return pack(
            self.identity.to_bytes(),
            number(self.counter),
            self.kdf.to_bytes(),
            self.wraps_digest,
            self.previous,
            pack(*self.successions),
        )


def open_state(envelope: bytes) -> AccountState:
    """A state whose signature fits the keys in it. Raises `UnsupportedSuite`, `Tampered`, `WeakKdf`."""
    body, signature = read_envelope(envelope)
    identity, counter, kdf, wraps_digest, previous, successions = unpack_exactly(body, 6)
    public = PublicIdentity.from_bytes(identity)
    public.verify(PURPOSE, body, signature)
    return AccountState(
        public,
        to_number(counter),
        KdfParameters.from_bytes(kdf),
        wraps_digest,
        previous,
        tuple(unpack(successions)),
    )


def succession(old: Identity, new: PublicIdentity) -> bytes:
    """The old keys' word for the new ones."""
    body = pack(old.public.to_bytes(), new.to_bytes())
    return pack(body, old.sign(SUCCESSION, body))


def check_succession(known: PublicIdentity, state: AccountState) -> None:
    """That the known keys lead to those of the state. Raises `KeyChanged`, `Tampered`."""
    present = known
    for step in state.successions:
        body, signature = unpack_exactly(step, 2)
        old, new = (PublicIdentity.from_bytes(each) for each in unpack_exactly(body, 2))
        if old == present:
            old.verify(SUCCESSION, body, signature)
            present = new
    if present != state.identity:
        raise KeyChanged


def check_not_older(state: AccountState, envelope: bytes, counter: int, seen: bytes) -> None:
    """That the state is the one seen before or a later one. Raises `RolledBack`, `Tampered`."""
    if state.counter < counter:
        raise RolledBack
    if state.counter == counter and digest(envelope) != seen:
        raise Tampered
    if state.counter == counter + 1 and state.previous != seen:
        raise Tampered
