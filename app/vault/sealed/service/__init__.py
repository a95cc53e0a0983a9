"""What routers may ask of sealed vaults."""

from app.vault.sealed.service.accounts import (
    create_account,
    delete_account,
    read_account,
    read_identity,
    replace_account,
    replace_pins,
    unlock_account,
)
from app.vault.sealed.service.candidates import accept_invitation, list_candidates, refuse_candidate
from app.vault.sealed.service.due import leave_due, nudge, read_due
from app.vault.sealed.service.files import delete_file, put_chunk, read_chunk
from app.vault.sealed.service.items import list_items, list_revisions, move_keys, read_item, write_item
from app.vault.sealed.service.lists import add_list, finish_epoch
from app.vault.sealed.service.vaults import create_vault, read_epoch, read_vault

__all__ = [
    "accept_invitation",
    "add_list",
    "create_account",
    "create_vault",
    "delete_account",
    "delete_file",
    "finish_epoch",
    "leave_due",
    "list_candidates",
    "list_items",
    "list_revisions",
    "move_keys",
    "nudge",
    "put_chunk",
    "read_account",
    "read_chunk",
    "read_due",
    "read_epoch",
    "read_identity",
    "read_item",
    "read_vault",
    "refuse_candidate",
    "replace_account",
    "replace_pins",
    "unlock_account",
    "write_item",
]
