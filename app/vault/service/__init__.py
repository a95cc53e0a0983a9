"""What routers, tasks and other packages may ask of vaults.

Packages above build on `visible_document_versions`, `open_version`, `current_version_id`, `version_ids`,
`document_titles` and `require_vaults`; events are named in the docstrings of the functions that emit them.
"""

from app.vault.policy import require, require_vaults, version_ids, visible_document_versions
from app.vault.service.activity import log_access
from app.vault.service.content import StoredFile, VersionContent, open_document, open_version, stored_file
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
from app.vault.service.history import list_item_versions, read_item_version, restore_item_version
from app.vault.service.invitations import accept_invitation, create_invitation, list_invitations, revoke_invitation
from app.vault.service.items import create_item, list_items, read_item, update_item
from app.vault.service.leaving import leave_all
from app.vault.service.listing import Filters
from app.vault.service.members import list_members, remove_member, update_member
from app.vault.service.paying import count_for_owner
from app.vault.service.purge import delete_blobs, destroy_vault, purge_due, sweep_blobs
from app.vault.service.reseal import RESEAL_JOB, reseal_vault, rotate_vault_key
from app.vault.service.trash import ITEM, purge, restore, trash
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
    "ITEM",
    "PURGE_JOB",
    "READ_JOB",
    "RESEAL_JOB",
    "Filters",
    "StoredFile",
    "VersionContent",
    "accept_invitation",
    "add_version",
    "count_for_owner",
    "create_document",
    "create_invitation",
    "create_item",
    "create_vault",
    "current_version_id",
    "delete_blobs",
    "destroy_vault",
    "document_titles",
    "leave_all",
    "list_document_versions",
    "list_documents",
    "list_invitations",
    "list_item_versions",
    "list_items",
    "list_members",
    "list_vaults",
    "log_access",
    "open_document",
    "open_version",
    "purge",
    "purge_document",
    "purge_due",
    "purge_vault",
    "read_document",
    "read_item",
    "read_item_version",
    "read_vault",
    "remove_member",
    "require",
    "require_room",
    "require_vaults",
    "require_version_room",
    "reseal_vault",
    "restore",
    "restore_document",
    "restore_item_version",
    "restore_vault",
    "revoke_invitation",
    "rotate_vault_key",
    "stored_file",
    "sweep_blobs",
    "trash",
    "trash_document",
    "trash_vault",
    "update_document",
    "update_item",
    "update_member",
    "update_vault",
    "version_ids",
    "visible_document_versions",
]
