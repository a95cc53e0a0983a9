"""What each blob is called; structure outside, content inside."""

from uuid import UUID

from app.sealed.errors import Tampered


def state_name(account: UUID) -> str:
    """The signed state, which anybody may read before signing in."""
    return f"accounts/{account}/state"


def wraps_name(account: UUID) -> str:
    """The wrapped account secret and identities, for the signed-in owner."""
    return f"accounts/{account}/wraps"


def pins_name(account: UUID) -> str:
    """What the owner's clients have seen, sealed."""
    return f"accounts/{account}/pins"


def verifier_names(account: UUID) -> tuple[str, str]:
    """Where the authentication keys of password and recovery key are enrolled; write-only on a real server."""
    return f"accounts/{account}/verifier", f"accounts/{account}/recovery-verifier"


def members_name(vault: UUID, counter: int) -> str:
    """One list of members."""
    return f"vaults/{vault}/members/{counter}"


def clock_name(vault: UUID) -> str:
    """Changes with every write into the vault, so that writers can't miss each other."""
    return f"vaults/{vault}/clock"


def wrap_name(vault: UUID, epoch: int, account: UUID) -> str:
    """The key of an epoch for one member."""
    return f"vaults/{vault}/wraps/{epoch}/{account}"


def chain_name(vault: UUID, epoch: int) -> str:
    """The key of an epoch under the key of the next one, until all item keys have moved over."""
    return f"vaults/{vault}/chain/{epoch}"


def closing_name(vault: UUID, epoch: int) -> str:
    """The last revisions of an epoch that has ended."""
    return f"vaults/{vault}/closing/{epoch}"


def items_prefix(vault: UUID) -> str:
    """What all names of items begin with."""
    return f"vaults/{vault}/items/"


def item_keys_name(vault: UUID, item: UUID) -> str:
    """The keys of an item under the key of the present epoch."""
    return f"{items_prefix(vault)}{item}/keys"


def revision_prefix(vault: UUID, item: UUID) -> str:
    """What all names of one item's revisions begin with."""
    return f"{items_prefix(vault)}{item}/revisions/"


def revision_name(vault: UUID, item: UUID, revision: int) -> str:
    """One revision of an item."""
    return f"{revision_prefix(vault, item)}{revision}"


def chunk_name(vault: UUID, file: UUID, index: int) -> str:
    """One chunk of a file."""
    return f"vaults/{vault}/files/{file}/{index}"


def last_number(name: str) -> int:
    """The number at the end of a name. Raises `Tampered`."""
    number = name.rpartition("/")[2]
    if not (number.isascii() and number.isdecimal() and len(number) < 20):
        raise Tampered
    return int(number)


def item_of(name: str) -> UUID:
    """The item in a name under `items_prefix`. Raises `Tampered`."""
    try:
        return UUID(name.split("/")[3])
    except (ValueError, IndexError):
        raise Tampered from None
