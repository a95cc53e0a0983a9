"""Errors of files on their way: uploads in parts, versions, imports, exports."""

from app.core.errors import (
    AppError,
    BadRequest,
    Conflict,
    NotFound,
    PreconditionFailed,
    Unprocessable,
    UnsupportedMediaType,
)


class UploadNotFound(NotFound):
    """No such upload in parts: never begun, somebody else's, ended or expired."""

    title = "There is no such upload"


class ImportNotFound(NotFound):
    """No such import: somebody else's, or of a vault that the person can't read any more."""

    title = "There is no such import"


class ExportNotFound(NotFound):
    """No such export: somebody else's, expired, or of a vault that the person can't read any more."""

    title = "There is no such export"


class ExportNotReady(Conflict):
    """The export is still being written, or could not be; its job tells."""

    title = "The export is not ready: its job tells how far it is"


class CurrentVersionStays(Conflict):
    """The version that counts can't be deleted; the document can."""

    title = "The current version can't be deleted: delete the document, or make another version the current one"


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
