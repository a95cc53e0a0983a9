"""What other rooms may ask of the log: `record` in the transaction of the act."""

from app.audit.accounts import record_act
from app.audit.keeping import (
    checkpoint,
    checkpoint_all,
    checkpoint_grown,
    known_chain_ids,
    sweep_marks,
    verify,
    verify_due,
)
from app.audit.policy import decides_access
from app.audit.reading import Filters, entries_of, head_of, list_entries, list_own, public_keys, read_head
from app.audit.recording import record, record_lately, record_own
from app.audit.schemas import EntryRead
from app.audit.verifying import Broken

__all__ = [
    "Broken",
    "EntryRead",
    "Filters",
    "checkpoint",
    "checkpoint_all",
    "checkpoint_grown",
    "decides_access",
    "entries_of",
    "head_of",
    "known_chain_ids",
    "list_entries",
    "list_own",
    "public_keys",
    "read_head",
    "record",
    "record_act",
    "record_lately",
    "record_own",
    "sweep_marks",
    "verify",
    "verify_due",
]
