"""What vaults may hold, and for how long: a part of the settings (see `app.core.config`)."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.core.config_units import MIB


class VaultSettings(BaseSettings):
    """What vaults may hold, and for how long."""

    vaults_per_user: int = Field(default=100, ge=1, description="Vaults one person may own.")
    items_per_vault: int = Field(default=20_000, ge=1, description="Items one vault may hold.")
    documents_per_vault: int = Field(default=20_000, ge=1, description="Documents one vault may hold.")
    types_per_vault: int = Field(default=100, ge=1, description="Record types people may make in one vault.")
    links_per_item: int = Field(default=500, ge=1, description="Links one record or document may have.")
    bulk_items: int = Field(default=500, ge=1, description="Records that one request may change.")
    shares_per_user: int = Field(default=200, ge=1, description="Open shares one person may have.")
    share_max_days: int = Field(default=90, ge=1, description="Longest life of a share.")
    share_tries: int = Field(
        default=10, ge=1, description="Wrong passwords of a share, or tokens, in an hour by place."
    )
    search_items: int = Field(default=100_000, ge=1, description="Records that one search may look through.")
    search_cache_bytes: int = Field(
        default=64 * MIB, ge=0, description="Opened records that a process keeps for the next search."
    )
    members_per_vault: int = Field(default=50, ge=1, description="Members and open invitations of one vault.")
    trash_days: int = Field(default=30, ge=1, description="Days until something in the trash is purged.")
    transfer_seconds: int = Field(
        default=7 * 86_400, ge=3_600, description="Life of an offer to hand a vault over to another member."
    )
    changes_days: int = Field(
        default=90,
        ge=1,
        description="Days that what is gone is named in the feed of changes; older cursors begin anew.",
    )
    sealed_body_bytes: int = Field(
        default=8 * MIB, ge=2 * MIB, description="Largest request about a sealed vault, base64 and all."
    )
    sealed_item_bytes: int = Field(
        default=MIB, ge=1_024, description="Largest revision of an item of a sealed vault, as it is stored."
    )
    sealed_account_bytes: int = Field(
        default=4 * MIB, ge=8_192, description="What the clients of one person may leave with their sealed keys."
    )
    max_sealed_bytes: int = Field(
        default=100 * 1024 * MIB, ge=MIB, description="Ciphertext that one sealed vault may hold, files included."
    )
    sealed_tries: int = Field(default=10, ge=1, description="Wrong keys of a sealed account in an hour.")
