"""What changed between versions of an item, and bringing back one part of an earlier one."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.vault.cells import open_body, ring_of
from app.vault.errors import FieldNotFound, InvalidFields
from app.vault.models import item_versions, items
from app.vault.schemas.history import ChangeRead, ItemDiff, Part, RestoreField, RestoreText
from app.vault.schemas.items import MOST_FIELDS, ItemRead
from app.vault.service.history import version_row
from app.vault.service.items import opened_item, replace_content, visible_item, writable_item
from app.vault.service.types import kinds_of


async def diff_item_versions(
    session: AsyncSession, principal: Principal, item_id: UUID, revision: int, to: int | None
) -> ItemDiff:
    """What changed from a revision to another one, the present one if `to` is None; either may be the earlier.

    Raises `ItemNotFound`, `VersionNotFound`.
    """
    item = await visible_item(session, principal, item_id)
    last = item["revision"] if to is None else to
    before = await _content_of(session, item, revision)
    after = await _content_of(session, item, last)
    kinds = await kinds_of(session, (item["type"],))
    changes = list(_changes(before, after, kinds[item["type"]].secret_fields))
    return ItemDiff(item_id=item_id, from_revision=revision, to_revision=last, changes=changes)


async def restore_item_part(
    session: AsyncSession,
    principal: Principal,
    item_id: UUID,
    revision: int,
    part: RestoreField | RestoreText,
    *,
    if_match: str | None,
) -> ItemRead:
    """Give an item one part of an earlier version back, as a new revision; none if it has it.

    Raises `ItemNotFound`, `VersionNotFound`, `FieldNotFound`, `RoleTooLow`, `StaleRevision`, `InvalidFields`.
    """
    item = await writable_item(session, principal, item_id, if_match)
    before = await _content_of(session, item, item["revision"])
    earlier = await _content_of(session, item, revision)
    content = before | _restored(before, earlier, part)
    if _same(content, before):
        return await opened_item(session, item)
    ring = await ring_of(session, item["vault_id"], item["body"])
    restored = await replace_content(session, principal, ring, item, before, content)
    ids = {"restored": revision, "revision": restored.revision}
    await audit.record(session, principal, item["vault_id"], "vault.item_part_restored", item_id, **ids)
    return restored


async def _content_of(session: AsyncSession, item: Any, revision: int) -> dict[str, Any]:
    present = revision == item["revision"]
    table, row = (items, item) if present else (item_versions, await version_row(session, item["id"], revision))
    ring = await ring_of(session, item["vault_id"], row["body"])
    content: dict[str, Any] = open_body(ring, table, row["id"], row["body"])
    return content


def _restored(before: dict[str, Any], earlier: dict[str, Any], part: RestoreField | RestoreText) -> dict[str, Any]:
    if isinstance(part, RestoreText):
        return {part.part: earlier[part.part]}
    fields = dict(before["fields"])
    if part.name in earlier["fields"]:
        fields[part.name] = earlier["fields"][part.name]
    elif fields.pop(part.name, None) is None:
        raise FieldNotFound
    if len(fields) > MOST_FIELDS:
        raise InvalidFields(f"A record has at most {MOST_FIELDS} fields")
    return {"fields": fields}


def _changes(before: dict[str, Any], after: dict[str, Any], secret: list[str]) -> Iterator[ChangeRead]:
    for part in ("title", "notes"):
        if before[part] != after[part]:
            yield _change(part, None, before[part] or None, after[part] or None)
    old, new = before["fields"], after["fields"]
    for name in dict.fromkeys([*old, *new]):
        if not _same(old.get(name), new.get(name)):
            yield _change("field", name, old.get(name), new.get(name), secret=name in secret)
    for tag in dict.fromkeys([*before["tags"], *after["tags"]]):
        if (tag in before["tags"]) != (tag in after["tags"]):
            present = [tag if tag in content["tags"] else None for content in (before, after)]
            yield _change("tag", tag, *present)


def _same(one: Any, other: Any) -> bool:
    """As JSON: 1 is not true."""
    return orjson.dumps(one) == orjson.dumps(other)


def _change(part: Part, name: str | None, before: Any, after: Any, *, secret: bool = False) -> ChangeRead:
    """Values of fields and tags are never null, and empty notes are none."""
    change = "added" if before is None else "removed" if after is None else "changed"
    return ChangeRead.model_validate(
        {"part": part, "name": name, "change": change, "before": before, "after": after, "secret": secret}
    )
