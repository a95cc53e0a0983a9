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


class UploadNotFound(NotFound):
    """No such upload in parts: never begun, somebody else's, ended or expired."""

    title = "There is no such upload"


class ImportNotFound(NotFound):
    """No such import: somebody else's, or of a vault that the person can't read any more."""

    title = "There is no such import"


class ExportNotFound(NotFound):
    """No such export: somebody else's, expired, or of a vault that the person can't read any more."""

    title = "There is no such export"


class SharePasswordNeeded(Forbidden):
    """The share has a password, and another one or none was given."""

    title = "This share opens with its password only"


class RoleTooLow(Forbidden):
    """A member whose role does not allow it."""

    title = "Your role in this vault does not allow this"


class InvitationForSomebodyElse(Forbidden):
    """The invitation was sent to an address that is not the one of this account."""

    title = "This invitation was sent to another address"


class SealedNotOffered(Conflict):
    """Sealed vaults can't be made yet."""

    title = "Sealed vaults are not offered yet"


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


class ExportNotReady(Conflict):
    """The export is still being written, or could not be; its job tells."""

    title = "The export is not ready: its job tells how far it is"


class CurrentVersionStays(Conflict):
    """The version that counts can't be deleted; the document can."""

    title = "The current version can't be deleted: delete the document, or make another version the current one"


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


class MetadataUnreadable(BadRequest):
    """Not pairs of a key and a value in base64 (tus 1.0.0)."""

    title = "Upload-Metadata can't be read"


class ChecksumUnknown(BadRequest):
    """Not `sha1` or `sha256` and a digest in base64 (tus 1.0.0)."""

    title = "Upload-Checksum can't be read"


class TusVersionUnknown(PreconditionFailed):
    """Another version of tus than 1.0.0, or none."""

    title = "Say Tus-Resumable: 1.0.0"


class OffsetMismatch(Conflict):
    """The bytes don't go on where those that are kept end."""

    title = "The upload goes on at another offset: ask for it with HEAD"


class ChecksumMismatch(AppError):
    """460 (tus 1.0.0): the bytes of this request are not those that were sent; none of them is kept."""

    status = 460
    title = "The bytes don't match Upload-Checksum"


class OffsetStreamExpected(UnsupportedMediaType):
    """Not application/offset+octet-stream."""

    title = "Send the bytes as application/offset+octet-stream"


class InvalidRecipient(Unprocessable):
    """The checksum of the public key is wrong."""

    title = "This is not a public key of age"


class UploadWithoutVault(Unprocessable):
    """`Upload-Metadata` names neither a vault nor a document."""

    title = "Name a vault_id or a document_id in Upload-Metadata"


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
