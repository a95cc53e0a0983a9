"""What routers, tasks and other packages may ask of vaults.

Packages above build on `visible_document_versions`, `open_version`, `current_version_id`, `version_ids`,
`document_titles` and `require_vaults`; events are named in the docstrings of the functions that emit them.
"""

from app.vault.policy import SEALED, require, require_vaults, version_ids, visible_document_versions
from app.vault.sealed.exporting import vault_blobs as sealed_blobs
from app.vault.service.activity import list_activity
from app.vault.service.bulk import change_items
from app.vault.service.changes import forget_changes, list_changes
from app.vault.service.content import (
    StoredFile,
    VersionContent,
    open_document,
    open_version,
    record_download,
    stored_file,
)
from app.vault.service.diffs import diff_item_versions, restore_item_part
from app.vault.service.documents import (
    DELETE_BLOBS,
    current_version_id,
    document_titles,
    list_documents,
    purge_document,
    read_document,
    restore_document,
    trash_document,
    update_document,
)
from app.vault.service.exporting import write_export
from app.vault.service.exports import (
    EXPORT_JOB,
    create_export,
    delete_export,
    forget_exports,
    list_exports,
    open_export,
    purge_exports,
    read_export,
    record_export_download,
)
from app.vault.service.favourites import add_favourite, remove_favourite
from app.vault.service.following import ItemNow, WaitingInvitation, item_now, roles_in, waiting_invitations
from app.vault.service.history import list_item_versions, read_item_version, restore_item_version
from app.vault.service.importing import run_import
from app.vault.service.imports import (
    IMPORT_JOB,
    create_import,
    list_import_entries,
    list_imports,
    purge_imports,
    read_import,
)
from app.vault.service.invitations import (
    accept_invitation,
    create_invitation,
    list_invitations,
    resend_invitation,
    revoke_invitation,
)
from app.vault.service.items import create_item, list_items, read_item, update_item
from app.vault.service.leaving import forget_member, leave_all
from app.vault.service.links import create_link, delete_link, list_links, read_link
from app.vault.service.listing import Filters
from app.vault.service.members import list_members, remove_member, update_member
from app.vault.service.moving import move_document, move_item
from app.vault.service.opening import open_share, open_shared_file
from app.vault.service.paying import count_for_owner
from app.vault.service.pruning import delete_version, prune_all, prune_versions
from app.vault.service.purge import delete_blobs, destroy_vault, purge_due, sweep_blobs
from app.vault.service.released import (
    Gift,
    ReleasedVault,
    Scope,
    list_released_documents,
    list_released_items,
    list_released_vaults,
    open_released_document,
    read_released_document,
    read_released_item,
)
from app.vault.service.reseal import RESEAL_JOB, reseal_vault, rotate_vault_key
from app.vault.service.search import search_items
from app.vault.service.shares import (
    create_share,
    list_share_views,
    list_shares,
    read_share,
    revoke_share,
    sweep_shares,
)
from app.vault.service.transfers import accept_transfer, drop_transfer, list_transfers, offer_vault, read_transfer
from app.vault.service.trash import ITEM, purge, restore, trash
from app.vault.service.types import (
    create_type,
    delete_type,
    find_kind,
    kinds_of,
    list_types,
    read_type,
    tell_of_records,
    update_type,
)
from app.vault.service.uploads import (
    Checksum,
    append,
    create_upload,
    delete_upload,
    finish_left,
    purge_uploads,
    read_upload,
)
from app.vault.service.vaults import (
    PURGE_JOB,
    create_vault,
    list_vaults,
    purge_vault,
    read_vault,
    restore_vault,
    trash_vault,
    update_vault,
)
from app.vault.service.versions import (
    READ_JOB,
    add_version,
    create_document,
    list_document_versions,
    require_room,
    require_version_room,
)

__all__ = [
    "DELETE_BLOBS",
    "EXPORT_JOB",
    "IMPORT_JOB",
    "ITEM",
    "PURGE_JOB",
    "READ_JOB",
    "RESEAL_JOB",
    "SEALED",
    "Checksum",
    "Filters",
    "Gift",
    "ItemNow",
    "ReleasedVault",
    "Scope",
    "StoredFile",
    "VersionContent",
    "WaitingInvitation",
    "accept_invitation",
    "accept_transfer",
    "add_favourite",
    "add_version",
    "append",
    "change_items",
    "count_for_owner",
    "create_document",
    "create_export",
    "create_import",
    "create_invitation",
    "create_item",
    "create_link",
    "create_share",
    "create_type",
    "create_upload",
    "create_vault",
    "current_version_id",
    "delete_blobs",
    "delete_export",
    "delete_link",
    "delete_type",
    "delete_upload",
    "delete_version",
    "destroy_vault",
    "diff_item_versions",
    "document_titles",
    "drop_transfer",
    "find_kind",
    "finish_left",
    "forget_changes",
    "forget_exports",
    "forget_member",
    "item_now",
    "kinds_of",
    "leave_all",
    "list_activity",
    "list_changes",
    "list_document_versions",
    "list_documents",
    "list_exports",
    "list_import_entries",
    "list_imports",
    "list_invitations",
    "list_item_versions",
    "list_items",
    "list_links",
    "list_members",
    "list_released_documents",
    "list_released_items",
    "list_released_vaults",
    "list_share_views",
    "list_shares",
    "list_transfers",
    "list_types",
    "list_vaults",
    "move_document",
    "move_item",
    "offer_vault",
    "open_document",
    "open_export",
    "open_released_document",
    "open_share",
    "open_shared_file",
    "open_version",
    "prune_all",
    "prune_versions",
    "purge",
    "purge_document",
    "purge_due",
    "purge_exports",
    "purge_imports",
    "purge_uploads",
    "purge_vault",
    "read_document",
    "read_export",
    "read_import",
    "read_item",
    "read_item_version",
    "read_link",
    "read_released_document",
    "read_released_item",
    "read_share",
    "read_transfer",
    "read_type",
    "read_upload",
    "read_vault",
    "record_download",
    "record_export_download",
    "remove_favourite",
    "remove_member",
    "require",
    "require_room",
    "require_vaults",
    "require_version_room",
    "reseal_vault",
    "resend_invitation",
    "restore",
    "restore_document",
    "restore_item_part",
    "restore_item_version",
    "restore_vault",
    "revoke_invitation",
    "revoke_share",
    "roles_in",
    "rotate_vault_key",
    "run_import",
    "sealed_blobs",
    "search_items",
    "stored_file",
    "sweep_blobs",
    "sweep_shares",
    "tell_of_records",
    "trash",
    "trash_document",
    "trash_vault",
    "update_document",
    "update_item",
    "update_member",
    "update_type",
    "update_vault",
    "version_ids",
    "visible_document_versions",
    "waiting_invitations",
    "write_export",
]
