"""The declarative base: naming of constraints, aware times, common columns."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import Computed, DateTime, ForeignKey, LargeBinary, MetaData, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from app.core.clock import new_id

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
UpdatedAt = Annotated[datetime, mapped_column(server_default=func.now(), onupdate=func.now())]

NAMES_BLOB = "names_blob"  # in the `info` of a column: its value is the name of a blob, which is kept for as long
SEALED_BY = "sealed_by"  # in the `info` of a column of cells: the column that names the owner of their data key
KEY_OF_BODY = "encode(\"substring\"(body, 2, 16), 'hex'::text)::uuid"  # a cell is version || key id || …
# The key that a cell names, read out of it by the database: no key can be destroyed while a cell needs it.
Body = Annotated[bytes, mapped_column(info={SEALED_BY: "vault_id"})]
KeyId = Annotated[UUID, mapped_column(Computed(KEY_OF_BODY, persisted=True), ForeignKey("data_keys.id"), index=True)]


class Base(DeclarativeBase):
    """Every table; ids are UUIDv7 made in Python because the seal of a cell needs them before the INSERT."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        str: String,
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
    }
    __mapper_args__ = {"eager_defaults": True}
