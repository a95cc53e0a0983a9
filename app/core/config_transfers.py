"""Settings of what is on its way into vaults or out of them: uploads in parts, imports, exports, versions of files."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.core.config_units import KIB, MIB


class TransferSettings(BaseSettings):
    """The part of the settings that is about files on their way."""

    upload_seconds: int = Field(
        default=86_400, ge=60, description="Life of an upload in parts, counted from its last part."
    )
    export_seconds: int = Field(default=86_400, ge=60, description="Time in which an export can be downloaded.")
    exports_per_user: int = Field(default=5, ge=1, description="Exports of one person that have not expired.")
    uploads_per_user: int = Field(default=20, ge=1, description="Unfinished uploads in parts of one person.")
    import_max_entries: int = Field(default=50_000, ge=1, description="Entries of one import.")
    import_max_text_bytes: int = Field(default=64 * MIB, ge=KIB, description="Largest JSON or CSV of an import.")
    import_max_unpacked_bytes: int = Field(
        default=4_096 * MIB, ge=KIB, description="Bytes that the archive of an import may unpack to."
    )
    versions_per_document: int = Field(default=1_000, ge=1, description="Versions one document may have.")
    keep_versions: int = Field(
        default=0, ge=0, description="Versions of a document that the daily sweep keeps, if that many; 0 keeps all."
    )
