"""The tables as a Prisma schema (https://www.prisma.io/docs/orm/reference/prisma-schema-reference), for readers.

Migrations stay Alembic's. What Prisma has no words for (partial indexes, checks, row-level security) is not in it.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Float,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

HEAD: Final = """// The tables of LifeVault, written by `lifevault export prisma`.
// Migrations are Alembic's: do not migrate with Prisma.

generator client {
  provider = "prisma-client-js"
}

datasource db {
  provider = "postgresql"
}
"""
TYPES: Final[tuple[tuple[Any, str, str], ...]] = (
    (Uuid, "String", " @db.Uuid"),
    (DateTime, "DateTime", " @db.Timestamptz(6)"),
    (Date, "DateTime", " @db.Date"),
    (Boolean, "Boolean", ""),
    (SmallInteger, "Int", " @db.SmallInt"),
    (BigInteger, "BigInt", ""),
    (Integer, "Int", ""),
    (Double, "Float", ""),
    (Float, "Float", ""),
    (Numeric, "Decimal", ""),
    (LargeBinary, "Bytes", ""),
    (JSONB, "Json", ""),
    (String, "String", " @db.VarChar"),
)


def prisma_schema(metadata: MetaData) -> str:
    """Every table as a model, in the order of their names."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    return HEAD + "".join(_model(table, tables) for table in tables)


def _model(table: Table, tables: list[Table]) -> str:
    lines = [*_fields(table), *_relations(table), *_backwards(table, tables), *_block(table)]
    return f"\nmodel {table.name} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _fields(table: Table) -> Iterator[str]:
    for column in table.columns:
        kind, native = prisma_type(column)
        yield f"{column.name} {kind}{_default(column)}{_key(table, column)}{native}"


def prisma_type(column: "Column[Any]") -> tuple[str, str]:
    """The type of a column in Prisma, with its mark for an optional or a list, and its native type."""
    given = column.type
    mark = "?" if column.nullable else ""
    if isinstance(given, ARRAY):
        given, mark = given.item_type, "[]"
    for kind, name, native in TYPES:
        if isinstance(given, kind):
            return f"{name}{mark}", native
    return f'Unsupported("{given}"){mark}', ""


def _default(column: "Column[Any]") -> str:
    if column.computed is not None or column.server_default is not None:
        return " @default(dbgenerated())"
    return ""


def _key(table: Table, column: "Column[Any]") -> str:
    if [*table.primary_key.columns] == [column]:
        return " @id"
    alone = any([*each.columns] == [column] for each in _uniques(table))
    return " @unique" if alone else ""


def _uniques(table: Table) -> list[UniqueConstraint]:
    found = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    return sorted(found, key=lambda each: str(each.name))


def _foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda each: str(each.name))


def _relation(key: ForeignKeyConstraint) -> str:
    return str(key.name).removeprefix("fk_")


def _relations(table: Table) -> Iterator[str]:
    for key in _foreign_keys(table):
        columns = list(key.columns)
        optional = "?" if any(column.nullable for column in columns) else ""
        fields = ", ".join(column.name for column in columns)
        references = ", ".join(element.column.name for element in key.elements)
        actions = {"CASCADE": "Cascade", "SET NULL": "SetNull"}
        action = actions.get(key.ondelete or "", "NoAction")
        name = _relation(key)
        yield (
            f'to_{name} {key.referred_table.name}{optional} @relation("{name}", fields: [{fields}], '
            f"references: [{references}], onDelete: {action}, onUpdate: NoAction)"
        )


def _backwards(table: Table, tables: list[Table]) -> Iterator[str]:
    for other in tables:
        for key in _foreign_keys(other):
            if key.referred_table is table:
                mark = "?" if _is_unique(other, [column.name for column in key.columns]) else "[]"
                yield f'from_{_relation(key)} {other.name}{mark} @relation("{_relation(key)}")'


def _is_unique(table: Table, names: list[str]) -> bool:
    keys = [[column.name for column in each.columns] for each in (table.primary_key, *_uniques(table))]
    return names in keys


def _block(table: Table) -> Iterator[str]:
    primary = [column.name for column in table.primary_key.columns]
    if len(primary) > 1:
        yield f"@@id([{', '.join(primary)}])"
    for unique in _uniques(table):
        names = [column.name for column in unique.columns]
        if len(names) > 1:
            yield f'@@unique([{", ".join(names)}], map: "{unique.name}")'
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        columns = [each for each in index.expressions if isinstance(each, Column)]
        whole = len(columns) == len(list(index.expressions)) and "where" not in index.dialect_options["postgresql"]
        if whole and index.dialect_options["postgresql"].get("where") is None and not index.unique:
            yield f'@@index([{", ".join(column.name for column in columns)}], map: "{index.name}")'
