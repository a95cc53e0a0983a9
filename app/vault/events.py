"""Events that the database writes itself, by triggers on the tables: whatever changes a row, none is forgotten.

Their payload is `item_id` or `document_id`, `vault_id`, and `change`. They are relayed in no certain order, so that a
listener looks at what is there now. A vault that is destroyed tells of itself alone (`vault.purged`), not of what was
in it.
"""

from typing import Final, Literal

ITEM_CHANGED: Final = "vault.item_changed"
DOCUMENT_CHANGED: Final = "vault.document_changed"

Change = Literal["created", "updated", "trashed", "restored", "purged"]
