"""What routers, tasks and other packages may ask of vaults.

Packages above build on `visible_document_versions`, `open_version`, `current_version_id`, `version_ids`,
`document_titles`, `require_vaults` and `kinds_of`; events are named in the docstrings of the functions that emit them.
"""

from app.vault.policy import require, require_vaults, version_ids, visible_document_versions
from app.vault.service.activity import log_access
from app.vault.service.bulk import change_items
from app.vault.service.content import StoredFile, VersionContent, open_document, open_version, stored_file
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
    "revoke_share",
