"""Shapes of sealed accounts and vaults: ids, numbers, and ciphertext or signatures in base64url."""

import base64
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from app.core.schemas import Page, RequestModel, ResponseModel, Whole
from app.vault.schemas.vaults import GrantedRole, Kind, Role

BASE64URL: Final = r"^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$"
EXAMPLE: Final = "AQEAAABkc2VhbGVkIGJ5IHRoZSBjbGllbnQ="
MOST_CHARACTERS: Final = 64 * 1024 * 1024  # the settings bound each kind of bytes more closely
MOST_WRAPS: Final = 1_000
MOST_DAYS: Final = 400
MOST_TOKENS: Final = 5_000
BIGGEST: Final = 2**63 - 1


def _decoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        raise ValueError("must be base64url")
    try:
        return base64.b64decode(value, altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("must be base64url") from None


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def _schema(**bounds: int) -> dict[str, Any]:
    return {"type": "string", "format": "base64url", "pattern": BASE64URL, "examples": [EXAMPLE], **bounds}


def _digest_of(size: int) -> dict[str, Any]:
    pattern = rf"^[A-Za-z0-9_-]{{{-(-size * 8 // 6)}}}={{{-size % 3}}}$"
    return {"type": "string", "format": "base64url", "pattern": pattern, "examples": [_encoded(bytes(size))]}


_ENCODING: Final = BeforeValidator(_decoded), PlainSerializer(_encoded, when_used="json")
Blob = Annotated[
    bytes, Field(min_length=1), *_ENCODING, WithJsonSchema(_schema(minLength=4, maxLength=MOST_CHARACTERS))
]
Closing = Annotated[bytes, *_ENCODING, WithJsonSchema(_schema(maxLength=MOST_CHARACTERS))]
Digest = Annotated[bytes, Field(min_length=32, max_length=32), *_ENCODING, WithJsonSchema(_digest_of(32))]
Clock = Annotated[bytes, Field(min_length=16, max_length=16), *_ENCODING, WithJsonSchema(_digest_of(16))]
Counter = Annotated[Whole, Field(ge=1, le=BIGGEST, examples=[1])]
Wraps = Annotated[
    dict[UUID, Blob],
    Field(max_length=MOST_WRAPS, description="The key of the epoch, for each member by id, wrapped and signed."),
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(9000, 1, 1))]


class SealedAccountCreate(RequestModel):
    """A new sealed account, made by a client: the server gets no key that opens anything."""

    state: Blob = Field(description="The signed state with the public keys and the costs of the password function.")
    wraps: Blob = Field(description="The account secret, wrapped by password and recovery key, and the private keys.")
    pins: Blob = Field(description="What your clients have seen, sealed.")
    verifier: Digest = Field(description="The key of the password that signs in; kept as Argon2id of it.")
    recovery_verifier: Digest = Field(description="That of the recovery key.")


class SealedAccountReplace(RequestModel):
    """The next state of a sealed account, all of it at once: another password, recovery key, or other key pairs."""

    state: Blob = Field(description="The next signed state; it names the digest of the one before.")
    wraps: Blob
    pins: Blob
    pins_before: Digest = Field(description="SHA-256 of the pins that you have read.")
    verifier: Digest | None = Field(default=None, description="Needed with another salt or other costs.")
    recovery_verifier: Digest | None = Field(default=None)


class SealedPinsReplace(RequestModel):
    """What your clients have seen by now, sealed."""

    pins: Blob
    pins_before: Digest = Field(description="SHA-256 of the pins that you have read.")


class SealedUnlock(RequestModel):
    """The key of the password that signs in, or that of the recovery key."""

    key: Digest


class SealedAccountRead(ResponseModel):
    """Your sealed account, without the wraps: these come with `unlock`."""

    account_id: UUID
    counter: int
    state: Blob
    pins: Blob
    created_at: datetime
    updated_at: datetime


class SealedWrapsRead(ResponseModel):
    """What opens with your password or your recovery key."""

    state: Blob
    wraps: Blob


class SealedIdentityRead(ResponseModel):
    """The signed state of somebody's account, with their public keys. Compare the words before you trust them."""

    account_id: UUID
    state: Blob


class SealedVaultCreate(RequestModel):
    """A new sealed vault: its first list of members, with you alone, and its first key for you."""

    vault_id: UUID = Field(
        description="Chosen by the client at random: everything in the vault is bound to it.",
        examples=["4be0643f-1d98-473b-97cd-ca98a65347dd"],
    )
    kind: Kind = Field(default="family", examples=["family"])
    members: Blob = Field(description="The signed list.")
    wraps: Wraps = Field(examples=[{}])
    clock: Clock


class SealedVaultRead(ResponseModel):
    """Where a sealed vault stands, and what one member needs to open it."""

    vault_id: UUID
    role: Role = Field(description="Your role.")
    counter: int = Field(description="Of the newest list.")
    epoch: int
    epoch_wanted: bool = Field(description="Whether somebody has left who knows the present key.")
    clock: Clock
    items: int = Field(description="How many, the ended ones too.")
    size: int = Field(description="Bytes of ciphertext.")
    members: list[Blob] = Field(description="The signed lists after the one that you asked from, in their order.")
    wrap: Blob | None = Field(description="The key of the present epoch, for you.")
    links: list["SealedLinkRead"] = Field(description="Keys of ended epochs that are still needed, in their order.")


class SealedLinkRead(ResponseModel):
    """The key of an epoch under that of the next; it goes when all item keys have moved."""

    epoch: int
    link: Blob


class SealedEpochRead(ResponseModel):
    """An epoch that has ended."""

    epoch: int
    closing: Closing = Field(description="Its last revisions, as the list that ended it signs them.")


class SealedEpochEnd(RequestModel):
    """The end of the present epoch."""

    link: Blob = Field(description="Its key under the next one.")
    closing: Closing = Field(description="The last revision of each item, as the list signs it.")
    clock_before: Digest = Field(description="SHA-256 of the clock that you read before the closing.")


class SealedListAdd(RequestModel):
    """The next list of members: somebody let in, another role, other keys of your own, or a new epoch."""

    members: Blob = Field(description="The signed list.")
    wraps: Wraps = Field(default_factory=dict, examples=[{}])
    clock: Clock
    ends: SealedEpochEnd | None = Field(default=None, description="With a new epoch, and only then.")


class SealedCandidateRead(ResponseModel):
    """Somebody who has accepted an invitation and waits to be let in."""

    vault_id: UUID
    account_id: UUID
    name: str = Field(examples=["Astrid Lindqvist"])
    email: str = Field(examples=["astrid@example.org"])
    role: GrantedRole
    invited_by: UUID
    created_at: datetime


class SealedCandidateList(ResponseModel):
    """Who waits, the first to accept first."""

    items: list[SealedCandidateRead]


class SealedItemWrite(RequestModel):
    """The next revision of an item, signed and sealed."""

    revision: Blob = Field(description="The signed envelope with its sealed records.")
    keys: Blob = Field(description="The keys of the item under the key of the present epoch.")
    keys_before: Digest | None = Field(
        default=None, description="SHA-256 of the keys that you read; null for a new one."
    )
    clock: Clock
    clock_before: Digest = Field(description="SHA-256 of the clock that you have read.")


class SealedKeysMove(RequestModel):
    """The keys of an item, moved to the key of the present epoch."""

    keys: Blob
    keys_before: Digest = Field(description="SHA-256 of the keys that you have read.")
    counter: Counter = Field(description="Of the newest list that you know.")


class SealedItemBrief(ResponseModel):
    """An item of a sealed vault: no word of what is in it."""

    item_id: UUID
    revision: int
    epoch: int = Field(description="The epoch under whose key its keys stand.")
    written_by: UUID
    trashed_at: datetime | None = Field(description="When it was ended; earlier revisions stay.")
    created_at: datetime
    updated_at: datetime


class SealedItemRead(SealedItemBrief):
    """An item with its keys and its newest revision."""

    keys: Blob
    content: Blob = Field(description="The signed envelope with its sealed records.")


class SealedItemEntry(SealedItemBrief):
    """An item in a list; with its keys and its newest revision, if you asked for them."""

    keys: Blob | None
    content: Blob | None


class SealedItemPage(Page):
    """Items in the order of their ids."""

    items: list[SealedItemEntry]


class SealedRevisionRead(ResponseModel):
    """One revision."""

    revision: int
    content: Blob
    created_at: datetime


class SealedRevisionList(ResponseModel):
    """Revisions, the first one first."""

    items: list[SealedRevisionRead]
    has_more: bool


class SealedDueWrite(RequestModel):
    """Tokens of days, made by the key of the epoch: all that come, and those on which something is due."""

    epoch: Counter = Field(description="The epoch whose key made them.")
    first_on: Day = Field(description="The day of the first of `days`.", examples=["2031-05-31"])
    days: list[Digest] = Field(
        max_length=MOST_DAYS,
        description="The tokens of the days that follow each other.",
        examples=[[_encoded(bytes(32)), _encoded(bytes([1]) * 32)]],
    )
    tokens: list[Digest] = Field(
        max_length=MOST_TOKENS,
        description="Those of the days that matter, in any order.",
        examples=[[_encoded(bytes([1]) * 32)]],
    )


class SealedDueRead(ResponseModel):
    """What was left of due days; leave later days before the last one comes."""

    epoch: int
    first_on: date
    last_on: date | None = Field(description="The last day whose token was left; null if none was.")
    tokens: int = Field(description="How many days matter.")
    updated_at: datetime


class SealedAccept(RequestModel):
    """The token that came by e-mail."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        examples=["kT3fX0bM2vJq9rWc8nYp5sLd7hGa1zEu4iOw6xRt0AQ"]
    )
