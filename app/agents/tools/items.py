"""Records: listed, read, made and changed. Of credentials, a model is told only that they exist; of others, no secrets.

What is a credential, and which fields are secrets, the types of the records say (see `app.vault.types`).
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field

from app.agents.errors import CredentialRecord
from app.agents.tools.registry import Tool, ToolContext, ToolResult, register
from app.core.schemas import LongText, RequestModel, ShortText, Whole
from app.vault import service as vaults
from app.vault.errors import ItemNotFound, VaultNotFound
from app.vault.schemas.items import FieldChanges, Fields, ItemCreate, ItemRead, ItemUpdate, Tags, TypeName
from app.vault.types import RecordType

MOST_LISTED = 50
MOST_NOTES = 4_000


class ListItems(RequestModel):
    """Which records."""

    type: TypeName | None = Field(default=None, description="Only records of this type.")
    limit: Whole = Field(default=20, ge=1, le=MOST_LISTED)


class ReadItem(RequestModel):
    """A record."""

    item_id: UUID


class CreateItem(RequestModel):
    """A new record."""

    vault_id: UUID
    type: TypeName
    title: ShortText
    fields: Fields = {}
    notes: LongText = ""
    tags: Tags = []


class UpdateItem(RequestModel):
    """Changes of a record; what is left out stays."""

    item_id: UUID
    revision: Whole | None = Field(default=None, description="The revision that was read; refused if it has changed.")
    title: ShortText | None = None
    fields: FieldChanges = {}
    notes: LongText | None = None
    tags: Tags | None = None


class ListVaults(RequestModel):
    """Nothing to choose."""


async def list_vaults(context: ToolContext, _: ListVaults) -> ToolResult:
    """The vaults in scope."""
    async with context.session() as session:
        found, _last = await vaults.list_vaults(session, context.principal, vaults.Filters(limit=100, readable=True))
    shown = [{"vault_id": str(v.id), "name": v.name, "role": v.role} for v in found if context.may_see(v.id)]
    return _told({"vaults": shown})


async def list_items(context: ToolContext, data: ListItems) -> ToolResult:
    """The newest records in scope."""
    async with context.session() as session:
        items: list[ItemRead] = []
        for vault_id in context.vault_ids if context.vault_ids is not None else (None,):
            wanted = vaults.Filters(limit=data.limit, vault_id=vault_id, type=data.type)
            found, _last = await vaults.list_items(session, context.principal, wanted)
            items += found
        kinds = await vaults.kinds_of(session, {item.type for item in items})
    items.sort(key=lambda item: item.id, reverse=True)
    return _told({"items": [_short(item, kinds[item.type]) for item in items[: data.limit]]})


async def read_item(context: ToolContext, data: ReadItem) -> ToolResult:
    """One record."""
    item, kind = await _in_scope(context, data.item_id)
    return _told(_whole(item, kind))


async def create_item(context: ToolContext, data: CreateItem) -> ToolResult:
    """Put a record into a vault."""
    if not context.may_see(data.vault_id):
        raise VaultNotFound
    async with context.session() as session:
        kind = await vaults.find_kind(session, context.principal, data.vault_id, data.type)
        _refuse_secrets(kind, data.fields)
        made = ItemCreate.model_validate(data.model_dump())
        item = await vaults.create_item(session, context.principal, made)
    return _told({"created": str(item.id), "revision": item.revision})


async def update_item(context: ToolContext, data: UpdateItem) -> ToolResult:
    """Change a record."""
    _item, kind = await _in_scope(context, data.item_id)
    _refuse_secrets(kind, data.fields)
    changes = data.model_dump(exclude={"item_id", "revision"}, exclude_unset=True)
    if_match = f'"{data.revision}"' if data.revision is not None else None
    async with context.session() as session:
        changed = ItemUpdate.model_validate(changes)
        item = await vaults.update_item(session, context.principal, data.item_id, changed, if_match=if_match)
    return _told({"changed": str(item.id), "revision": item.revision})


async def _in_scope(context: ToolContext, item_id: UUID) -> tuple[ItemRead, RecordType]:
    async with context.session() as session:
        item = await vaults.read_item(session, context.principal, item_id)
        kinds = await vaults.kinds_of(session, (item.type,))
    if not context.may_see(item.vault_id):
        raise ItemNotFound
    return item, kinds[item.type]


def _refuse_secrets(kind: RecordType, fields: Mapping[str, Any]) -> None:
    if kind.credential or not fields.keys().isdisjoint(kind.secret_fields):
        raise CredentialRecord


def _short(item: ItemRead, kind: RecordType) -> dict[str, Any]:
    if kind.credential:
        return {"item_id": str(item.id), "type": item.type, "withheld": True}
    deadlines = {name: item.fields[name] for name in kind.deadlines if name in item.fields}
    return {
        "item_id": str(item.id),
        "vault_id": str(item.vault_id),
        "type": item.type,
        "title": item.title,
        **deadlines,
    }


def _whole(item: ItemRead, kind: RecordType) -> dict[str, Any]:
    if kind.credential:
        return _short(item, kind)
    fields = {name: value for name, value in item.fields.items() if name not in kind.secret_fields}
    more: dict[str, Any] = {
        "fields": fields,
        "notes": item.notes[:MOST_NOTES],
        "tags": item.tags,
        "missing": item.missing,
    }
    if withheld := [name for name in kind.secret_fields if name in item.fields]:
        more["withheld_fields"] = withheld
    return {**_short(item, kind), **more, "revision": item.revision}


def _told(data: Any) -> ToolResult:
    return ToolResult(orjson.dumps(data).decode(), data)


register(Tool("list_vaults", "List the person's vaults with their ids.", ListVaults, "read", list_vaults))
register(Tool("list_items", "List the newest records.", ListItems, "read", list_items))
register(Tool("read_item", "Read one record with its fields.", ReadItem, "read", read_item))
register(
    Tool(
        "create_item",
        "Put a new record into a vault. The person is asked first.",
        CreateItem,
        "write",
        create_item,
        "vault:write",
    )
)
register(
    Tool("update_item", "Change a record. The person is asked first.", UpdateItem, "write", update_item, "vault:write")
)
