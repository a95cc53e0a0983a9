"""What other rooms may ask of the log: `record` in the transaction of the act."""

from app.audit.policy import decides_access
from app.audit.reading import Filters, entries_of, head_of, list_entries, list_own, public_keys, read_head
from app.audit.recording import record, record_own

__all__ = [
    "Filters",
    "decides_access",
    "entries_of",
    "head_of",
    "list_entries",
    "list_own",
    "public_keys",
    "read_head",
    "record",
    "record_own",
]
