"""How a `schema.prisma` that somebody keeps differs from our tables."""

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import MetaData

from app.cli.exporting.prisma import prisma_type

MODEL: Final = re.compile(r"^model\s+(\w+)\s*\{(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD: Final = re.compile(r"^\s*(\w+)\s+((?:Unsupported\(\"[^\"]*\"\)|\w+)(?:\?|\[\])?)(.*)$")
MAP: Final = re.compile(r'@map\("([^"]+)"\)')
TABLE_MAP: Final = re.compile(r'@@map\("([^"]+)"\)')
SCALARS: Final = ("String", "DateTime", "Boolean", "Int", "BigInt", "Float", "Decimal", "Bytes", "Json", "Unsupported")


def read_prisma(text: str) -> dict[str, dict[str, str]]:
    """The type of each column by table and column, from the text of a Prisma schema; enumerations are left out."""
    found = {}
    for name, body in MODEL.findall(text):
        mapped = TABLE_MAP.search(body)
        found[mapped[1] if mapped else name] = dict(_columns(body))
    return found


def _columns(body: str) -> Iterator[tuple[str, str]]:
    for line in body.splitlines():
        field = FIELD.match(line.partition("//")[0])
        if field is None or "@relation" in field[3] or line.strip().startswith("@@"):
            continue
        if field[2].startswith(SCALARS):
            mapped = MAP.search(field[3])
            yield (mapped[1] if mapped else field[1]), field[2]


def drift(metadata: MetaData, text: str) -> list[str]:
    """What a Prisma schema says otherwise than our tables, in words; nothing if they agree."""
    theirs = read_prisma(text)
    ours = {
        table.name: {column.name: prisma_type(column)[0] for column in table.columns}
        for table in metadata.tables.values()
    }
    lines = [f"{name}: the table is not in the schema" for name in sorted(ours.keys() - theirs.keys())]
    lines += [f"{name}: there is no such table" for name in sorted(theirs.keys() - ours.keys())]
    for table in sorted(ours.keys() & theirs.keys()):
        lines += _differences(table, ours[table], theirs[table])
    return lines


def _differences(table: str, ours: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs:
            yield f"{table}.{name}: the column is not in the schema"
        elif name not in ours:
            yield f"{table}.{name}: there is no such column"
        elif ours[name] != theirs[name]:
            yield f"{table}.{name}: is {ours[name]}, the schema says {theirs[name]}"
