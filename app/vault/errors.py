"""Errors of vaults."""

from app.core.errors import (
    AppError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    TooLarge,
    TooManyRequests,
    Unprocessable,
    UnsupportedMediaType,
)


class VaultNotFound(NotFound):
    """No such vault, or the principal is not a member."""

    title = "There is no such vault"


class MemberNotFound(NotFound):
    """No such member of this vault."""

    title = "There is no such member"


class InvitationNotFound(NotFound):
    """No such invitation: never made, used, revoked or expired."""

    title = "There is no such invitation, or it is no longer valid"


class ItemNotFound(NotFound):
    """No such item that the principal may see, or it is in the trash."""

    title = "There is no such item"


class TypeNotFound(NotFound):
    """No such record type in this vault, or none that the principal may see."""

    title = "There is no such record type"


class LinkNotFound(NotFound):
    """No such link between things that the principal may see."""

    title = "There is no such link"


class FieldNotFound(NotFound):
    """Neither the record nor its earlier version has this field."""

    title = "There is no such field"


class ShareNotFound(NotFound):
    """No such share; for people outside also one that is over, for whatever reason."""

    title = "There is no such share, or it is over"


class VersionNotFound(NotFound):
    """No such version of an item or a document."""

    title = "There is no such version"


class DocumentNotFound(NotFound):
    """No such document that the principal may see, or it is in the trash."""

    title = "There is no such document"


class SharePasswordNeeded(Forbidden):
    """The share has a password, and another one or none was given."""

    title = "This share opens with its password only"


class RoleTooLow(Forbidden):
    """A member whose role does not allow it."""

    title = "Your role in this vault does not allow this"


class InvitationForSomebodyElse(Forbidden):
    """The invitation was sent to an address that is not the one of this account."""

    title = "This invitation was sent to another address"


class VaultSealed(Conflict):
    """Something that needs to read a vault which only clients can open."""

    title = "This vault is sealed: only clients of its members can open it, and the server can't do this"


class VaultNotShared(Conflict):
    """A personal vault has one member."""

    title = "A personal vault can't be shared: make it a family vault first"


class VaultHasMembers(Conflict):
    """A vault with other members, or open invitations, can't become personal."""

    title = "A vault that is shared can't become a personal one"


class AlreadyMember(Conflict):
    """The person is a member already."""

    title = "This person is already a member"


class OwnerStays(Conflict):
    """The owner can't be removed, demoted or leave; they make somebody else the owner first."""

    title = "The owner can't be removed: make somebody else the owner first"


class AlreadyOwner(Conflict):
    """The vault can't be offered to the one who has it."""

    title = "This person owns the vault already"


class TransferNotFound(NotFound):
    """No open offer of this vault that the principal made or may accept."""

    title = "There is no offer to hand this vault over"


class TooManyInvitations(TooManyRequests):
    """More invitations by one person, or to one address, than an hour should see."""

    title = "Too many invitations in a short time"


class TypeInUse(Conflict):
    """Records of this type are there, perhaps in the trash."""

    title = "Records of this type are there: change or purge them first"


class AlreadyLinked(Conflict):
    """These two are linked in this way."""

    title = "These two are linked in this way already"


class LinkedToItself(Conflict):
    """Both ends are the same."""

    title = "Nothing can be linked to itself"


class BulkRefused(Conflict):
    """Something stands against a change of several records; none was changed. `refused` says what of which."""

    title = "Nothing was changed: it is not possible for all of these records"


class TooManyTries(TooManyRequests):
    """More shares tried by one place, or passwords of one share, than an hour should see."""

    title = "Too many tries in a short time"


class LimitReached(Conflict):
    """As many as there may be."""

    title = "A limit of this service is reached"


class NotInTrash(Conflict):
    """Only what is in the trash can be restored or purged."""

    title = "It is not in the trash"


class BeingPurged(Conflict):
    """The vault is being destroyed."""

    title = "The vault is being destroyed and can't be restored"


class RotationRunning(Conflict):
    """The data key of the vault is being exchanged already."""

    title = "The key of this vault is being exchanged already"


class StaleRevision(PreconditionFailed):
    """`If-Match` names another revision than the present one."""

    title = "It was changed in the meantime: read it again"


class InvalidFields(Unprocessable):
    """Fields that don't fit the record type; `errors` names each, never its value."""

    title = "Some fields don't fit the record type"


class InvalidDefinition(Unprocessable):
    """Fields of a record type that don't go together; `errors` names each by its place."""

    title = "The definition of the record type is not valid"


class EmptyFile(Unprocessable):
    """A file without bytes."""

    title = "The file is empty"


class FileMissing(Unprocessable):
    """A form without a part named `file`."""

    title = "The form has no file"


class InvalidForm(BadRequest):
    """Not well-formed multipart/form-data."""

    title = "The form can't be read"


class UploadInterrupted(BadRequest):
    """The client went away before the end of the file."""

    title = "The upload was interrupted"


class FormExpected(UnsupportedMediaType):
    """Not multipart/form-data."""

    title = "Send the file as multipart/form-data"


class FileTooLarge(TooLarge):
    """A file over the limit."""

    title = "The file is too large"


class NoSuchRange(RangeNotSatisfiable):
    """A range that begins behind the end of the file."""

    title = "The file has no such range of bytes"


class ContentDamaged(AppError):
    """Stored ciphertext that was altered, cut or moved; it is never returned as it is."""

    status = 500
    title = "What is stored is damaged and was not returned"
