"""People whose keys were compared over another channel; the server's word for anybody's keys counts for nothing."""

from uuid import UUID

from app.sealed.errors import KeyChanged, KeyNotVerified
from app.sealed.identity import PublicIdentity
from app.sealed.names import state_name
from app.sealed.pins import Pins
from app.sealed.spelling import same_words
from app.sealed.state import open_state
from app.sealed.transport import Transport


def look_up(transport: Transport, account: UUID) -> PublicIdentity:
    """What the server says somebody's keys are. Raises `Missing`, `Tampered`."""
    return open_state(transport.get(state_name(account))).identity


def compared(transport: Transport, account: UUID, fingerprint: str) -> PublicIdentity:
    """The keys that have these words. Raises `KeyNotVerified`, `Missing`, `Tampered`."""
    person = look_up(transport, account)
    if person.account != account or not same_words(person.fingerprint, fingerprint):
        raise KeyNotVerified
    return person


def check_contact(transport: Transport, pins: Pins, account: UUID) -> PublicIdentity:
    """The compared keys, if they are still the present ones. Raises `KeyNotVerified`, `KeyChanged`."""
    if account not in pins.contacts:
        raise KeyNotVerified
    if look_up(transport, account) != pins.contacts[account]:
        raise KeyChanged
    return pins.contacts[account]
